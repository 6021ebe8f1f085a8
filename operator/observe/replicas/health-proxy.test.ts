import { expect, it } from 'vitest';
import { errorFromAnswer } from '../../kube/errors.ts';
import { ProxiedHealthClient } from './health-proxy.ts';
import { sampleReport } from '../../../test/fixtures/health-report.ts';
import type { KubeRequest } from '../../kube/request.ts';

const REPORT = JSON.stringify({ ...sampleReport, held: 'Supabase answers 503' });
const target = { namespace: 'team', name: 'jobs-abc', uid: 'u', ip: '10.0.0.1', port: 3001 };

const askWith = async (text: (request: KubeRequest) => Promise<string>) => {
  const requests: KubeRequest[] = [];
  const client = new ProxiedHealthClient({
    now: () => 7,
    transport: {
      text: (request) => {
        requests.push(request);
        return text(request);
      },
      close: () => Promise.resolve(),
    },
  });
  return { reading: await client.ask(target, 50), requests };
};

const refusing = (status: number, text: string) => () =>
  Promise.reject(errorFromAnswer({ method: 'GET', path: '/x', status, text }));
const statusOf = (status: number) => JSON.stringify({ kind: 'Status', code: status, message: 'error trying to reach' });

it('asks once, by namespace, name and port', async () => {
  const { reading, requests } = await askWith(() => Promise.resolve(REPORT));
  expect(reading).toMatchObject({ ok: true, at: 7, value: { work: { active: 2, slots: 5 } } });
  expect(requests).toEqual([
    expect.objectContaining({
      method: 'GET',
      path: '/api/v1/namespaces/team/pods/jobs-abc:3001/proxy/health',
      idempotent: false,
    }),
  ]);
});

it('reads the report of a replica that is degraded', async () => {
  const { reading } = await askWith(refusing(503, REPORT));
  expect(reading).toMatchObject({ ok: true, value: { work: { held: 'Supabase answers 503' } } });
});

it.each<[string, (request: KubeRequest) => Promise<string>, RegExp]>([
  ['that no way leads to', refusing(503, statusOf(503)), /the pod proxy cannot reach it: status 503/],
  ['that may not be asked', refusing(403, statusOf(403)), /needs "get" of pods\/proxy/],
  ['that answers something else', refusing(404, 'not here'), /it answers \/health with status 404/],
  [
    'that hangs',
    ({ signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    /did not answer \/health within 50 ms/,
  ],
  ['behind an API server that is gone', () => Promise.reject(new Error('connect ECONNREFUSED')), /ECONNREFUSED/],
])('knows nothing of a replica %s', async (_, text, because) => {
  const { reading } = await askWith(text);
  expect(reading).toMatchObject({ ok: false, because: expect.stringMatching(because) as string });
});
