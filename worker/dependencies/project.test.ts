import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CheckResult } from './check.ts';
import { checkProject } from './project.ts';

const GOOD: CheckResult = { ok: true, latencyMs: 3 };
const OUT = { ok: false, kind: 'Outage', because: 'the database cannot be reached: ECONNREFUSED' } as const;
const REFUSED = { ok: false, kind: 'Refused', because: 'the database does not accept the user' } as const;

let gatewayStatus = 200;
const gateway = createServer((_, response) => response.writeHead(gatewayStatus).end());
beforeAll(() => new Promise<void>((resolve) => void gateway.listen(0, '127.0.0.1', resolve)));
afterAll(() => gateway.close());

const checkWith = (status: number, database: CheckResult | undefined): Promise<CheckResult> => {
  gatewayStatus = status;
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const pooler = database === undefined ? undefined : { check: () => Promise.resolve(database) };
  return checkProject({ url, key: 'sb_secret_x', table: 'jobs' }, pooler, 10_000);
};

it.each<[number, CheckResult | undefined, string, string]>([
  [200, undefined, 'well', ''],
  [200, GOOD, 'well', ''],
  [200, OUT, 'Outage', OUT.because],
  [200, REFUSED, 'Refused', REFUSED.because],
  [503, GOOD, 'Outage', 'Supabase answers 503'],
  [503, REFUSED, 'Outage', `Supabase answers 503; ${REFUSED.because}`],
  [401, OUT, 'Outage', `Supabase answers 401: it does not accept SUPABASE_SERVICE_ROLE_KEY; ${OUT.because}`],
  [401, GOOD, 'Refused', 'Supabase answers 401: it does not accept SUPABASE_SERVICE_ROLE_KEY'],
])('a gateway that answers %i and a pooler with %j are %s', async (status, database, kind, because) => {
  const result = await checkWith(status, database);
  expect(result.ok ? 'well' : result.kind).toBe(kind);
  expect(result.ok ? '' : result.because).toBe(because);
});

it('says both latencies where both are asked', async () => {
  expect(await checkWith(200, GOOD)).toMatchObject({ ok: true, databaseLatencyMs: 3 });
  expect(await checkWith(200, undefined)).not.toHaveProperty('databaseLatencyMs');
});
