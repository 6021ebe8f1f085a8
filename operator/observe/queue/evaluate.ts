import type { Redis } from 'ioredis';

const isUnknownCommand = (error: unknown): boolean => error instanceof Error && /unknown command/i.test(error.message);

/**
 * Runs a script with EVAL_RO, which cannot write and may run on a replica, or with EVAL where Redis is older than 7.
 * Asking for EVAL_RO costs an old Redis one refused command a read; the answer is not remembered, Redis may be upgraded.
 */
export async function evaluateReadOnly(
  client: Redis,
  script: string,
  { keys, args }: Readonly<{ keys: readonly string[]; args: readonly string[] }>,
): Promise<unknown> {
  const call = [script, keys.length, ...keys, ...args];
  try {
    return await client.call('EVAL_RO', call);
  } catch (error) {
    if (!isUnknownCommand(error)) throw error;
    return client.call('EVAL', call);
  }
}
