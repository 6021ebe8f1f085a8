import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProxiedHealthClient } from '../../operator/observe/replicas/health-proxy.ts';
import { sampleReport } from '../fixtures/health-report.ts';
import { images } from '../cluster/images/catalog.ts';
import { until } from '../cluster/until.ts';
import { type Api, connect, type KubeObject, makeNamespace, transportAs } from './api-server.ts';

const PORT = 3001;
const ACCOUNT = { namespace: 'agent-worker-pool', name: 'agent-worker-pool' };
/** Well at first; degraded (503, with a report) after POST /degrade, silent after POST /hang. */
const SERVER = `
process.on('SIGTERM', () => process.exit(0));
let how = 'well';
require('node:http').createServer((request, response) => {
  if (request.method === 'POST') { how = request.url.slice(1); return response.end('{}'); }
  if (how === 'hang') return;
  const held = how === 'degrade' ? 'Supabase is out' : null;
  response.writeHead(held === null ? 200 : 503).end(JSON.stringify({ ...${JSON.stringify(sampleReport)}, held }));
}).listen(${PORT});
`;

let api: Api;
let namespace: KubeObject;
const at = () => ({ name: 'replica', namespace: namespace.metadata.name });

const askerAs = (account?: Parameters<typeof transportAs>[0]) =>
  new ProxiedHealthClient({ transport: transportAs(account, { limits: { retries: 0 } }), now: Date.now });
const operator = askerAs({
  user: `system:serviceaccount:${ACCOUNT.namespace}:${ACCOUNT.name}`,
  groups: [`system:serviceaccounts:${ACCOUNT.namespace}`],
});

const ask = (name = 'replica', timeoutMs = 10_000) =>
  operator.ask({ ...at(), name, uid: 'any', ip: '192.0.2.1', port: PORT }, timeoutMs);

const tell = (how: string) =>
  api.request({ method: 'POST', path: `/api/v1/namespaces/${at().namespace}/pods/replica:${PORT}/proxy/${how}` });

beforeAll(async () => {
  api = connect();
  namespace = await makeNamespace(api, 'pod-proxy');
  const container = { name: 'worker', image: images.base, imagePullPolicy: 'IfNotPresent', args: ['-e', SERVER] };
  const readinessProbe = { httpGet: { path: '/health', port: PORT }, periodSeconds: 1 };
  await api.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: at(),
    spec: { automountServiceAccountToken: false, containers: [{ ...container, readinessProbe }] },
  });
  type Pod = Readonly<{ status?: Readonly<{ conditions?: readonly Readonly<{ type: string; status: string }>[] }> }>;
  await until(
    async () => {
      const { status } = await api.get<Pod>(`/api/v1/namespaces/${at().namespace}/pods/replica`);
      return status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true;
    },
    { what: 'the replica is ready', limitMs: 120_000 },
  );
});
afterAll(async () => {
  await operator.close();
  await api.remove(namespace);
  await api.close();
});

it('leads to a replica once the account may use it, also to one that is degraded; what hangs or is gone is unknown', async () => {
  expect(await ask()).toEqual({
    ok: false,
    because: 'the operator may not use the pod proxy: it needs "get" of pods/proxy',
  });
  await api.create({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: at(),
    rules: [{ apiGroups: [''], resources: ['pods/proxy'], verbs: ['get'] }],
  });
  await api.create({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: at(),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'replica' },
    subjects: [{ kind: 'ServiceAccount', ...ACCOUNT }],
  });
  await until(async () => (await ask()).ok, { what: 'the authorizer knows the role', limitMs: 30_000 });
  expect(await ask()).toMatchObject({ value: { work: { active: 2, slots: 5, held: null }, redis: { ok: true } } });
  await tell('degrade');
  expect(await ask()).toMatchObject({ ok: true, value: { work: { held: 'Supabase is out' } } });
  await tell('hang');
  expect(await ask('replica', 1_000)).toEqual({
    ok: false,
    because: 'it did not answer /health within 1000 ms through the pod proxy',
  });
  expect(await ask('nobody')).toMatchObject({ ok: false, because: expect.stringContaining('status 404') as string });
});
