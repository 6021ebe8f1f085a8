import { expect, it } from 'vitest';
import { createErrorReport, createLog, describeError } from './log.ts';
import type { Log } from './log.ts';

const writtenBy = (write: (log: Log) => void): Record<string, unknown>[] => {
  const lines: string[] = [];
  write(createLog({ level: 'info', fields: { pod: 'w1' } }, { write: (line) => lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
};

it('takes user, password and query out of a URL in an error', () => {
  expect(describeError(new Error('cannot reach rediss://default:to%2Fken@host:6379/0?a=b now'))).toBe(
    'cannot reach rediss://host:6379/0 now',
  );
});

it('cuts an error to its first line and to 200 characters', () => {
  expect(describeError(new Error('first\nsecond'))).toBe('first');
  expect(describeError(new Error('x'.repeat(500)))).toHaveLength(200);
});

it('logs an error as its message only, since ioredis hangs the password and the payload on it', () => {
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['the-password'] } });
  const [line] = writtenBy((log) => log.error({ error, err: error }, 'redis refused'));
  expect(line).toMatchObject({
    level: 'error',
    service: 'worker',
    pod: 'w1',
    error: 'WRONGPASS',
    msg: 'redis refused',
  });
  expect(JSON.stringify(line)).not.toContain('the-password');
});

it('says a repeated error once in a period, and then how often it came', () => {
  let now = 0;
  const lines = writtenBy((log) => {
    const report = createErrorReport(log, { everyMs: 1000, now: () => now });
    for (now = 0; now <= 1000; now += 100) report('queue error', new Error('refused'));
    report('queue error', new Error('another'));
  });
  expect(lines.map(({ error, repeats }) => ({ error, repeats }))).toEqual([
    { error: 'refused', repeats: undefined },
    { error: 'refused', repeats: 9 },
    { error: 'another', repeats: undefined },
  ]);
});
