import { type Dispatcher, errors as undiciErrors } from 'undici';
import { type CureOfMissingRight, errorFromAnswer, KubeError } from './errors.ts';
import { messageOf } from './log.ts';
import type { KubeRequest } from './request.ts';
import { asError } from './wait.ts';

export type Answer = Dispatcher.ResponseData;

/** The signal's, the guard's and the credential source's errors are not the network's. */
export function isNetworkError(error: unknown): boolean {
  if (error instanceof undiciErrors.UndiciError) return true;
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string' && 'syscall' in error;
}

/** No answer came, or not all of it. */
export function noAnswer(request: KubeRequest, error: unknown, timedOut: boolean): KubeError {
  const timeout = timedOut || (error instanceof Error && /Timeout/.test(error.name));
  return new KubeError({
    status: 0,
    reason: timeout ? 'Timeout' : 'Unreachable',
    message: `${request.method} ${request.path}: no answer from the API server: ${messageOf(error)}`,
    cause: error,
  });
}

/** The error for an answer that is not 2xx; its body is read for the server's words. */
export async function refusal(request: KubeRequest, answer: Answer, cureOf?: CureOfMissingRight): Promise<KubeError> {
  const text = await readText(answer.body, 64 * 1024).catch(() => '');
  const retryAfter = answer.headers['retry-after'];
  return errorFromAnswer({
    method: request.method,
    path: request.path,
    status: answer.statusCode,
    text,
    cureOf,
    ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
  });
}

/** The body as it comes; ends with the caller's reason when the caller gave up. */
export async function* readStream(request: KubeRequest, body: Answer['body']): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    if (request.signal?.aborted) throw asError(request.signal.reason);
    throw noAnswer(request, error, false);
  }
}

export async function readText(body: Answer['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the API server's answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}
