import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KubeError } from '../../operator/kube/errors.ts';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { installOperator, onOperator, OPERATOR_NAMESPACE } from '../fixtures/stage/install.ts';

const { stage, tenant } = tenantOfTests('bad-start');
const crds = join(resolve(import.meta.dirname, '../..'), 'crds');

afterAll(async () => {
  await installOperator(stage);
});

type OperatorPod = Readonly<{
  metadata: Readonly<{ name: string; deletionTimestamp?: string }>;
  status: Readonly<{ containerStatuses?: readonly Readonly<{ restartCount: number; state: { running?: object } }>[] }>;
}>;

/** The one operator pod that runs and is not about to end. */
const operatorPod = (): Promise<OperatorPod> =>
  until(
    async () => {
      const { items } = JSON.parse(await onOperator(stage, ['get', 'pods', '-o', 'json'])) as { items: OperatorPod[] };
      const [pod, ...more] = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return more.length === 0 && pod?.status.containerStatuses?.[0]?.state.running !== undefined && pod;
    },
    { what: 'one operator pod runs' },
  );

/** What `/readyz` says, through the API server, which answers with the pod's own status. */
async function readyz(): Promise<Readonly<{ status: number; text: string }>> {
  const { metadata } = await operatorPod();
  const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${metadata.name}:8080/proxy/readyz`;
  try {
    return { status: 200, text: await stage.transport.text({ method: 'GET', path, idempotent: false }) };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { status: error.status, text: error.message };
  }
}

const SENTENCE = 'the definition of AgentWorkerPool is not installed: kubectl apply --server-side -f crds/';

const untilItSaysSo = () =>
  until(
    async () => {
      const { status, text } = await readyz();
      return status === 503 && text.includes(SENTENCE);
    },
    { what: '/readyz names the command', everyMs: 250 },
  );

const untilReadyAgain = () =>
  until(async () => (await readyz()).status === 200, { what: '/readyz is well', everyMs: 250 });

const install = async (): Promise<void> => {
  await stage.kubectl.run(['apply', '--server-side', '-f', crds]);
};

/** A pool of that name does jobs. */
async function expectWork(name: string): Promise<void> {
  const pool = await tenant.addPool({ name });
  const ids = await pool.jobs.add({ jobs: 2, minMs: 100, maxMs: 100 });
  await pool.jobs.untilDone(ids);
  expect(await pool.jobs.outcome(ids)).toMatchObject({ completed: 2, lost: 0, runTwice: 0 });
}

describe('an operator without the definition of its resource', () => {
  it('lives on when it is taken away, says how to install it, and works again when it is back', async () => {
    const before = await operatorPod();
    await stage.kubectl.run(['delete', 'crd', 'agentworkerpools.agentpool.dev', '--timeout=120s']);
    await untilItSaysSo();
    await install();
    await untilReadyAgain();
    await expectWork('after-removal');
    const after = await operatorPod();
    expect(after.metadata.name).toBe(before.metadata.name);
    expect(after.status.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  it('starts without it, says once in its log how to install it, and works as soon as it is there', async () => {
    await stage.kubectl.run(['delete', 'crd', 'agentworkerpools.agentpool.dev', '--timeout=120s']);
    const { metadata } = await operatorPod();
    await onOperator(stage, ['delete', 'pod', metadata.name, '--timeout=120s']);
    await untilItSaysSo();
    await install();
    await untilReadyAgain();
    await expectWork('after-start');
    const pod = await operatorPod();
    const log = await onOperator(stage, ['logs', pod.metadata.name]);
    expect(log.split(SENTENCE)).toHaveLength(2);
    expect(pod.status.containerStatuses?.[0]?.restartCount).toBe(0);
  });
});

type FailedPod = Readonly<{
  status: Readonly<{
    phase: string;
    containerStatuses?: readonly Readonly<{ state: { terminated?: { exitCode: number } } }>[];
  }>;
}>;

/** Runs an operator pod of its own that must end, and returns how. */
async function runOperator(name: string, spec: object): Promise<Readonly<{ exitCode: number; log: string }>> {
  const { namespace } = tenant;
  const { env, ...podSpec } = spec as { env: object[] };
  const container = { name: 'operator', image: stage.images.operator, imagePullPolicy: 'IfNotPresent', env };
  await stage.kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name },
      spec: { restartPolicy: 'Never', containers: [container], ...podSpec },
    },
  ]);
  const inNamespace = (...args: string[]) => stage.kubectl.run(['-n', namespace, ...args]);
  const ended = await until(
    async () => {
      const { status } = JSON.parse(await inNamespace('get', 'pod', name, '-o', 'json')) as FailedPod;
      return status.phase === 'Failed' && status.containerStatuses?.[0]?.state.terminated;
    },
    { what: `operator ${name} ends`, everyMs: 250 },
  );
  return { exitCode: ended.exitCode, log: await inNamespace('logs', name) };
}

describe.concurrent('an operator that cannot start', () => {
  it('ends with 1 and every problem of its environment at once', async () => {
    const env = [
      { name: 'POD_NAME', value: 'operator' },
      { name: 'PORT', value: 'http' },
      { name: 'LOG_LEVEL', value: 'loud' },
      { name: 'LEASE_DURATION_SECONDS', value: '0.1' },
    ];
    expect(await runOperator('bad-environment', { env })).toEqual({
      exitCode: 1,
      log: [
        'the environment is not fit to start with:',
        '  - POD_NAMESPACE: is required but not set',
        '  - PORT: must be a whole number from 0 to 65535',
        '  - LOG_LEVEL: must be one of debug, info, warn, error',
        '  - LEASE_DURATION_SECONDS: must be a number of seconds from 2 to 3600',
        '',
      ].join('\n'),
    });
  });

  it('ends with 1 and what to do where it knows no API server', async () => {
    const env = [
      { name: 'POD_NAME', value: 'operator' },
      { name: 'POD_NAMESPACE', value: tenant.namespace },
    ];
    const { exitCode, log } = await runOperator('no-server', { env, automountServiceAccountToken: false });
    expect(exitCode).toBe(1);
    expect(log.trim().split('\n')).toEqual([
      expect.stringContaining('set KUBECONFIG, or run in a pod with the token of a service account'),
    ]);
  });
});

type PodTemplate = Readonly<{ spec: Readonly<{ containers: readonly Readonly<{ env: readonly object[] }>[] }> }>;

describe('an operator that is told to end while it still loads', () => {
  it('ends at once: as the first process of its container it would not hear the signal', async () => {
    const namespace = OPERATOR_NAMESPACE;
    const text = await onOperator(stage, ['get', 'deployment', 'agent-worker-pool', '-o', 'json']);
    const { template } = (JSON.parse(text) as { spec: { template: PodTemplate } }).spec;
    const [container] = template.spec.containers;
    // A module before its own that never ends to load, and says when it began to.
    const endless = 'console.log("loading"); await new Promise(() => setInterval(() => {}, 1000));';
    const options = { name: 'NODE_OPTIONS', value: `--import=data:text/javascript,${encodeURIComponent(endless)}` };
    const env = [
      ...(container?.env ?? []).filter((variable) => !('name' in variable && variable.name === options.name)),
      options,
    ];
    const spec = { ...template.spec, containers: [{ ...container, env, readinessProbe: null, livenessProbe: null }] };
    await stage.kubectl.apply([{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: 'loading' }, spec }]);
    await until(async () => (await onOperator(stage, ['logs', 'loading']).catch(() => '')).includes('loading'), {
      what: 'the operator loads',
    });
    const told = Date.now();
    await onOperator(stage, ['delete', 'pod', 'loading', '--timeout=120s']);
    // Its grace is 30 s.
    expect(Date.now() - told).toBeLessThan(20_000);
  });
});
