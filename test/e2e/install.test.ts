import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { acquire, ToolUnavailable } from '../cluster/binaries/acquire.ts';
import { run } from '../cluster/exec.ts';
import { CannotRunHere } from '../cluster/host.ts';
import { silent } from '../cluster/progress.ts';
import { until } from '../cluster/until.ts';
import { refusal } from '../fixtures/programs.ts';
import { importBuiltImages } from '../fixtures/stage/built-images.ts';
import { OPERATOR_NAMESPACE } from '../fixtures/stage/install.ts';
import { importOperatorOf, NEXT, type Release } from '../fixtures/stage/next-rendering.ts';
import { isReadyPod, type PodNow, readDeployment, readPods, untilReplicas } from '../fixtures/stage/pool.ts';
import { embeddedOf } from '../fixtures/stage/sabotage.ts';
import { stageOfTests } from '../fixtures/stage/stage.ts';
import { openTenant, type PoolOfTest, type Tenant } from '../fixtures/stage/tenant.ts';
import { helm as helmTool } from '../tools/catalog.ts';

// The way of a platform engineer, in the order of the tests: each goes on where the last one ended.
const stage = stageOfTests();
const project = join(import.meta.dirname, '..', '..');
const CRD = 'agentworkerpools.agentpool.dev';
/** More than two workers of five slots get done within the wait target of 5 s. */
const BATCH = { jobs: 15, minMs: 2000, maxMs: 2000 };
const RELEASE = 'agent-worker-pool';

let whyNot: string | undefined;
let charts: string;
let helm: (...args: string[]) => Promise<string>;
let worker: string;
let tenant: Tenant;
let pool: PoolOfTest;

beforeAll(async () => {
  whyNot = await prepare();
  if (whyNot !== undefined) return;
  await stage.kubectl.run(['delete', '-k', join(project, 'deploy/base'), '--ignore-not-found', '--timeout=120s']);
  await stage.kubectl.run(['delete', 'crd', CRD, '--ignore-not-found', '--timeout=120s']);
  await stage.kubectl.run(['create', 'namespace', OPERATOR_NAMESPACE]);
  const restricted = 'pod-security.kubernetes.io/enforce=restricted';
  await stage.kubectl.run(['label', 'namespace', OPERATOR_NAMESPACE, restricted]);
}, 600_000);
afterAll(async () => {
  if (whyNot === undefined) {
    await tenant?.close();
    await helm('uninstall', RELEASE, '--ignore-not-found', '--wait');
    await helm('uninstall', `${RELEASE}-crds`, '--ignore-not-found');
    await stage.kubectl.run(['delete', 'crd', CRD, '--ignore-not-found', '--timeout=120s']);
    await stage.kubectl.run(['delete', 'namespace', OPERATOR_NAMESPACE, '--timeout=120s']);
    await rm(charts, { recursive: true, force: true });
  }
  await stage.close();
}, 240_000);
beforeEach((ctx) => {
  if (whyNot !== undefined) ctx.skip(whyNot);
});

/** Helm, and images that Docker built, in the cluster's containerd. Otherwise, why not. */
async function prepare(): Promise<string | undefined> {
  const cluster = embeddedOf(stage);
  if (cluster === undefined) return 'it installs images that are built here, which this cluster cannot pull';
  charts = await mkdtemp(join(tmpdir(), 'awp-charts-'));
  await cp(join(project, 'charts'), charts, { recursive: true });
  try {
    const program = (await acquire(helmTool, silent)).get('helm') ?? 'helm';
    helm = (...args) => run(program, [...args, '--namespace', OPERATOR_NAMESPACE]);
    worker = (await importBuiltImages(cluster)).built.worker;
    return undefined;
  } catch (error) {
    if (error instanceof CannotRunHere || error instanceof ToolUnavailable) return error.message;
    throw error;
  }
}

const chart = (name: string): string => join(charts, name);
const installCrds = () => helm('install', `${RELEASE}-crds`, chart('agent-worker-pool-crds'), '--wait');
const install = () => helm('install', RELEASE, chart(RELEASE), '--wait', '--timeout', '180s');

/** `helm upgrade` to the operator of a later version. */
async function upgradeTo(release: Release, folder = charts): Promise<void> {
  const cluster = embeddedOf(stage);
  if (cluster === undefined) throw new Error('only an embedded cluster can be given an image');
  const tag = await importOperatorOf(release, cluster);
  const values = ['--set', `image.tag=${tag}`, '--set', 'operator.logLevel=debug'];
  await helm('upgrade', RELEASE, join(folder, RELEASE), '--wait', '--timeout', '180s', ...values);
}

/** What a worker is, and what it was made from. */
const identity = ({ metadata }: PodNow): string => `${metadata.uid} of ${metadata.labels?.['pod-template-hash']}`;

const readyWorkers = async (): Promise<readonly string[]> =>
  (await readPods(stage, pool.ref)).filter(isReadyPod).map(identity).toSorted();

/** What workers were made from: one when none was rendered anew, whichever of them a scale-down took. */
const templatesOf = (workers: readonly string[]): readonly string[] => [
  ...new Set(workers.map((worker) => worker.replace(/^.* of /, ''))),
];

const renderingOf = async (): Promise<string | undefined> =>
  (await readDeployment(stage, pool.ref))?.metadata.annotations?.['agentpool.dev/rendering'];

const untilWorkers = (count: number): Promise<readonly string[]> =>
  until(
    async () => {
      const workers = await readyWorkers();
      return workers.length === count && workers;
    },
    { what: `${count} workers are ready`, everyMs: 200 },
  );

/** The operator that runs now decides on the pool: load brings a third worker, beside those of before. */
async function expectScaling(before: readonly string[]): Promise<void> {
  const ids: string[] = [];
  // An operator that has just started may see the pool only when the first of these are done.
  const load = setInterval(() => void pool.jobs.add(BATCH).then((added) => ids.push(...added)), 3000);
  try {
    ids.push(...(await pool.jobs.add(BATCH)));
    await untilReplicas(stage, pool.ref, { replicas: 3 });
    expect(await readyWorkers()).toEqual(expect.arrayContaining([...before]));
  } finally {
    clearInterval(load);
  }
  await pool.jobs.untilDone(ids);
  const jobs = ids.length;
  expect(await pool.jobs.outcome(ids)).toMatchObject({ completed: jobs, failed: 0, lost: 0, runTwice: 0 });
  await untilReplicas(stage, pool.ref, { replicas: 2 });
}

it('without the resource, the operator is not installed, and the sentence says what is', async () => {
  expect(await refusal(install())).toContain('install the chart agent-worker-pool-crds in version');
});

it('without the right to, nothing is installed, and the sentence says who may not', async () => {
  await installCrds();
  const nobody = ['--kube-as-user', 'nobody'];
  expect(await refusal(helm('install', RELEASE, chart(RELEASE), ...nobody))).toMatch(/User "nobody" cannot/);
});

it('two charts give an operator that makes a pool Ready, from images that Docker built, under "restricted"', async () => {
  await install();
  expect(await helm('test', RELEASE, '--logs')).toContain('is Ready: Applied');
  // What the operator made for that pool goes with it, when the garbage collector comes by.
  const list = ['get', 'awp,secrets,rolebindings,deployments', '-n', OPERATOR_NAMESPACE, '-o', 'name'];
  await until(async () => !(await stage.kubectl.run(list)).includes('-test'), {
    what: 'nothing is left of the pool of helm test',
    everyMs: 500,
  });
}, 300_000);

it('a pool of theirs works: kubectl wait, up with the load, and its workers have no token', async () => {
  tenant = await openTenant(stage, 'install');
  pool = await tenant.addPool({ name: 'installed', image: worker, minReplicas: 2, maxReplicas: 3 });
  await stage.kubectl.run(['wait', 'awp/installed', '-n', tenant.namespace, '--for=condition=Ready', '--timeout=120s']);
  await expectScaling(await untilWorkers(2));
  const volumes = await stage.kubectl.run([
    'get',
    'pods',
    '-n',
    tenant.namespace,
    '-l',
    'agentpool.dev/pool',
    '-o',
    'jsonpath={.items[*].spec.volumes[*]}',
  ]);
  expect(volumes).not.toContain('serviceAccountToken');
}, 300_000);

it('an upgrade of both charts, with a new field and another rendering, and the way back, restart no worker', async () => {
  const before = await untilWorkers(2);
  const rendering = await renderingOf();
  expect(rendering).not.toBe(NEXT.rendering);
  const next = await nextVersion();
  await helm('upgrade', `${RELEASE}-crds`, join(next, 'agent-worker-pool-crds'));
  await upgradeTo('next', next);
  expect(await stage.kubectl.run(['explain', 'awp.spec.later'])).toContain('A field of the next version');
  await expectScaling(before);
  expect(await renderingOf()).toBe(rendering);

  const after = await untilWorkers(2);
  expect(templatesOf(after)).toEqual(templatesOf(before));
  await helm('rollback', RELEASE, '--wait', '--timeout', '180s');
  await helm('rollback', `${RELEASE}-crds`);
  await expectScaling(after);
  expect(templatesOf(await untilWorkers(2))).toEqual(templatesOf(before));
  expect(await renderingOf()).toBe(rendering);
}, 400_000);

/** The charts as a next minor version would have them. */
async function nextVersion(): Promise<string> {
  const folder = join(charts, 'next');
  for (const name of ['agent-worker-pool-crds', RELEASE]) {
    await cp(chart(name), join(folder, name), { recursive: true });
    const file = join(folder, name, 'Chart.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^version: .*$/m, 'version: 0.99.0'));
  }
  const file = join(folder, 'agent-worker-pool-crds/files/agentpool.dev_agentworkerpools.yaml');
  type Schema = { properties: Record<string, Schema>; type?: string; default?: string; description?: string };
  const crd = parse(await readFile(file, 'utf8')) as {
    spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] };
  };
  const { properties } = crd.spec.versions[0].schema.openAPIV3Schema.properties['spec'] as Schema;
  // A default changes every pool that is read, and no generation.
  properties['later'] = { type: 'string', default: 'as before', description: 'A field of the next version.' } as Schema;
  await writeFile(file, stringify(crd));
  return folder;
}

it('uninstalling leaves the resource, the pool and its workers, which take new jobs', async () => {
  const before = await untilWorkers(2);
  await helm('uninstall', RELEASE, '--wait');
  await helm('uninstall', `${RELEASE}-crds`);
  const ids = await pool.jobs.add({ jobs: 4, minMs: 100, maxMs: 200 });
  await pool.jobs.untilDone(ids);
  expect(await pool.jobs.outcome(ids)).toMatchObject({ completed: 4, failed: 0 });
  expect(await stage.kubectl.run(['get', 'awp', '-n', tenant.namespace, '-o', 'name'])).toContain('installed');
  expect(await readyWorkers()).toEqual(before);
}, 200_000);

it('a new installation takes the pool over without touching a running worker', async () => {
  const before = await untilWorkers(2);
  await installCrds();
  await install();
  await expectScaling(before);
}, 300_000);

it('only a change of the pool brings the next rendering, and the version before keeps it when it knows it', async () => {
  const before = await untilWorkers(2);
  await upgradeTo('next');
  const change = { spec: { workers: { template: { metadata: { labels: { changed: 'yes' } } } } } };
  await stage.kubectl.run([
    'patch',
    'awp/installed',
    '-n',
    tenant.namespace,
    '--type=merge',
    '-p',
    JSON.stringify(change),
  ]);
  const changed = await until(
    async () => {
      const pods = await readPods(stage, pool.ref);
      const areNew =
        pods.length === 2 && pods.every(({ metadata }) => metadata.annotations?.[NEXT.annotation] !== undefined);
      return areNew && pods.every(isReadyPod) && pods.map(identity).toSorted();
    },
    { what: 'every worker has the next rendering', limitMs: 180_000, everyMs: 200 },
  );
  expect(changed).not.toEqual(before);
  expect(await renderingOf()).toBe(NEXT.rendering);

  await upgradeTo('ahead');
  await expectScaling(changed);
  expect(templatesOf(await untilWorkers(2))).toEqual(templatesOf(changed));
  expect(await renderingOf()).toBe(NEXT.rendering);
}, 500_000);
