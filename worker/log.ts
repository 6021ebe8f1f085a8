import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

const MAX_ERROR_LENGTH = 200;

/**
 * An error as one line that may be logged or answered: its message, at most 200 characters, URLs without user, password
 * and query. Never the error itself: ioredis hangs the command on it with its arguments, that is passwords and payloads.
 */
export const describeError = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error);
  const [firstLine = ''] = text.trim().split('\n');
  const safe = firstLine.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#]*@)?([^\s?#]*)(\?[^\s#]*)?/gi, '$1$3');
  return safe.length > MAX_ERROR_LENGTH ? `${safe.slice(0, MAX_ERROR_LENGTH - 1)}…` : safe;
};

/**
 * JSON lines, on stdout if no destination is given. Those are written before the call returns, so that a line before
 * `process.exit` is never lost.
 */
export const createLog = (
  { level, fields }: { level: LogLevel; fields: Record<string, string> },
  destination: DestinationStream = pino.destination({ dest: 1, sync: true }),
): Log =>
  pino(
    {
      level,
      base: { service: 'worker', ...fields },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    destination,
  );

/**
 * Says an error at most once in a period, and then how often it came: an outage repeats the same error many times a
 * second.
 */
export const createErrorReport = (log: Log, { everyMs, now }: { everyMs: number; now: () => number }) => {
  const said = new Map<string, { at: number; repeats: number }>();
  return (what: string, error: unknown): void => {
    const because = describeError(error);
    const key = `${what}: ${because}`;
    const last = said.get(key);
    if (last && now() - last.at < everyMs) {
      last.repeats += 1;
      return;
    }
    if (said.size >= 100) said.clear();
    said.set(key, { at: now(), repeats: 0 });
    log.error({ error: because, ...(last?.repeats ? { repeats: last.repeats } : {}) }, what);
  };
};

export type ErrorReport = ReturnType<typeof createErrorReport>;
