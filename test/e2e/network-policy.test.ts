import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { programOf } from '../fixtures/programs.ts';
import { startRedisInCluster } from '../fixtures/stage/redis.ts';
import { stageOfTests } from '../fixtures/stage/stage.ts';
import { helm as helmTool } from '../tools/catalog.ts';

const stage = stageOfTests();
const namespaces = ['policy-workers', 'policy-redis', 'policy-foreign'] as const;
const [WORKERS, REDIS, FOREIGN] = namespaces;
const CLIENT = 'client';

/** A pod that the policy takes for a worker, in which a test can try a way out. */
const client = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: CLIENT, namespace: WORKERS, labels: { 'agentpool.dev/pool': 'any' } },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'client', image: stage.images.worker, command: ['node', '-e', 'setInterval(() => {}, 1e6)'] }],
  },
};

const denyAll = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'probe', namespace: FOREIGN },
  spec: { podSelector: {}, policyTypes: ['Ingress'] },
};

const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  for (const namespace of [REDIS, FOREIGN]) stops.push((await startRedisInCluster(stage, { namespace })).stop);
  await stage.kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: WORKERS } }, client, denyAll]);
  await stage.kubectl.run(['wait', `pod/${CLIENT}`, '-n', WORKERS, '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  for (const stop of stops) await stop();
  for (const name of namespaces) {
    await stage.kubectl.run(['delete', 'namespace', name, '--ignore-not-found', '--wait=false']);
  }
  await stage.close();
});

/** Whether a connection from the client to the Redis of a namespace comes about within 10 s. */
async function reaches(namespace: string): Promise<boolean> {
  const host = `redis.${namespace}.svc.cluster.local`;
  const script = `const s=require('net').connect(6379,'${host}');const end=(text)=>{console.log(text);process.exit()};
s.once('connect',()=>end('open'));s.once('error',()=>end('closed'));setTimeout(()=>end('closed'),10000)`;
  return (await stage.kubectl.run(['exec', CLIENT, '-n', WORKERS, '--', 'node', '-e', script])).trim() === 'open';
}

/**
 * Whether this cluster enforces policies. An implementation needs a moment, so what is open is asked again for 5 s; and
 * a busy machine loses a connection that nobody forbids, so only what stays closed three times running, while the
 * namespace without a policy is open, counts as enforced.
 */
async function enforcesPolicies(): Promise<boolean> {
  const end = performance.now() + 5_000;
  for (let closed = 0; closed < 3; ) {
    if (await reaches(FOREIGN)) {
      if (performance.now() > end) return false;
      closed = 0;
    } else if (await reaches(REDIS)) closed += 1;
  }
  return true;
}

it('workers reach what the policy of the chart lists, and nothing else', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  expect(await reaches(REDIS)).toBe(true);
  if (!(await enforcesPolicies())) {
    return ctx.skip('this cluster does not enforce network policies: its network plugin ignores them');
  }

  await stage.kubectl.run(['delete', 'networkpolicy', 'probe', '-n', FOREIGN]);
  const values = ['enabled=true', `namespaces={${WORKERS}}`, `allowNamespaces={${REDIS}}`, 'internet=false'];
  const release = ['template', 'agent-worker-pool', 'charts/agent-worker-pool'];
  const set = values.flatMap((value) => ['--set', `networkPolicy.workers.${value}`]);
  const policy = await helm(...release, '--show-only', 'templates/networkpolicy.yaml', ...set);
  await stage.kubectl.apply(policy);
  await until(async () => !(await reaches(FOREIGN)), { what: 'what is not listed is out of reach' });
  expect(await reaches(REDIS)).toBe(true);
  return undefined;
});
