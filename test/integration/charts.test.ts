import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run } from '../cluster/exec.ts';
import { programOf, refusal } from '../fixtures/programs.ts';
import { helm as helmTool, helmUnittest } from '../tools/catalog.ts';

const OPERATOR = 'charts/agent-worker-pool';
const CRDS = 'charts/agent-worker-pool-crds';
const KUBERNETES = ['--kube-version', '1.36.4'];

type Container = Readonly<{ image: string; env: readonly Readonly<{ name: string }>[] }>;
type Manifest = Readonly<{
  kind: string;
  metadata: Readonly<{ name: string; namespace?: string; labels?: object }>;
  rules?: unknown;
  roleRef?: unknown;
  subjects?: unknown;
  spec: Readonly<{ template: Readonly<{ spec: Readonly<{ containers: readonly [Container] }> }> }>;
}>;

const objectsIn = (yaml: string): readonly Manifest[] =>
  parseAllDocuments(yaml)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);

const release = ['template', 'agent-worker-pool', OPERATOR, '--namespace', 'agent-worker-pool', ...KUBERNETES];

const find = (objects: readonly Manifest[], kind: string, name = 'agent-worker-pool'): Manifest | undefined =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

it('the charts pass the strict lint of Helm', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  expect(await helm('lint', '--strict', ...KUBERNETES, OPERATOR, CRDS)).toContain('0 chart(s) failed');
});

it('every unit test of the charts passes', async (ctx) => {
  const unittest = await programOf(helmUnittest, ctx);
  const output = await unittest('--color=false', OPERATOR, CRDS);
  expect(output).toMatch(/Tests:\s+[1-9]\d* passed/);
});

/** Every role and binding: whom it gives what, and where. */
const rightsIn = (objects: readonly Manifest[]): ReadonlyMap<string, object> =>
  new Map(
    objects
      .filter(({ kind }) => /^(?:Cluster)?Role(?:Binding)?$/.test(kind))
      .map(({ kind, metadata, rules, roleRef, subjects }) => [
        `${kind} ${metadata.name} ${metadata.namespace ?? ''}`,
        { rules, roleRef, subjects },
      ]),
  );

// The end-to-end suite runs on deploy/base: by this test, it runs under the account that the chart makes.
it('the chart gives the operator the account, the rights and the pod of deploy/base, and no other', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const objects = objectsIn(await helm(...release, '--skip-tests'));
  const files = ['rbac', 'deployment'].map(async (file) =>
    objectsIn(await readFile(`deploy/base/${file}.yaml`, 'utf8')),
  );
  const base = (await Promise.all(files)).flat();
  expect(rightsIn(base).size).toBeGreaterThan(4);
  expect(rightsIn(objects)).toEqual(rightsIn(base));
  const pods = [objects, base].map((list) => find(list, 'Deployment')?.spec.template.spec);
  expect(find(objects, 'ServiceAccount')).toBeDefined();
  const [inChart, inBase] = pods.map((spec) => ({
    ...spec,
    topologySpreadConstraints: undefined,
    containers: spec?.containers.map(({ env, ...container }) => ({
      ...container,
      image: '',
      env: env.filter(({ name }) => ['POD_NAME', 'POD_NAMESPACE', 'NODE_OPTIONS'].includes(name)),
    })),
  }));
  expect(inChart).toEqual(inBase);
});

it.for([
  [
    'a value that is not there',
    ['--set', 'replicas=3'],
    /at '\/replicas': value must be 'left out: the chart has replicaCount, image, .*, test'/,
  ],
  [
    'a value that is not there, within another,',
    ['--set', 'operator.kubeApi.qsp=100'],
    /at '\/operator\/kubeApi\/qsp': value must be 'left out: operator\.kubeApi has qps, burst'/,
  ],
  [
    'a value of the wrong form',
    ['--set', 'networkPolicy.workers.allowCIDRs={10.1.0.0}'],
    /at '\/networkPolicy\/workers\/allowCIDRs\/0': value must be 'a range of addresses, such as 10\.1\.0\.0\/16'/,
  ],
  ['a value of the wrong type', ['--set-string', 'replicaCount=two'], /replicaCount.*got string, want integer/],
  [
    'a variable that the chart sets itself',
    ['--set', 'extraEnv[0].name=LEASE_NAME'],
    /extraEnv has LEASE_NAME.*: leave it out, set operator\.leaseName/,
  ],
  [
    'a Kubernetes that is too old',
    ['--kube-version', '1.28.9-gke.100'],
    /this Kubernetes is v?1\.28\.9-gke\.100; the oldest that works is 1\.29: upgrade the cluster/,
  ],
  [
    'an account that nobody makes',
    ['--set', 'serviceAccount.create=false'],
    /name the account that the operator shall run under/,
  ],
] as const)('%s is refused with a sentence that names it', async ([, args, sentence], ctx) => {
  const helm = await programOf(helmTool, ctx);
  expect(await refusal(helm(...release, ...args))).toMatch(sentence);
});

it('the definition is refused by a Kubernetes that is too old, too', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const crds = helm('template', 'crds', CRDS, '--kube-version', '1.28.0');
  expect(await refusal(crds)).toMatch(/the oldest that works is 1\.29: upgrade the cluster/);
});

it('helm test has a pool to make Ready, and an account that may read that pool and nothing else', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const objects = objectsIn(await helm(...release, '--show-only', 'templates/tests/pool-ready.yaml'));
  expect(objects.map(({ kind }) => kind).toSorted()).toEqual(
    ['AgentWorkerPool', 'Pod', 'Role', 'RoleBinding', 'RoleBinding', 'Secret', 'ServiceAccount'].toSorted(),
  );
  expect(find(objects, 'Role', 'agent-worker-pool-test')?.rules).toEqual([
    {
      apiGroups: ['agentpool.dev'],
      resources: ['agentworkerpools'],
      resourceNames: ['agent-worker-pool-test'],
      verbs: ['get'],
    },
  ]);
});

it('helm test, and the sample, make their pool where the operator looks, with a label that it selects', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const looks = ['--set', 'operator.watchNamespaces={agents,others}', '--set', 'operator.leaseName=b'];
  const selects = ['--set-string', 'operator.poolSelector=tier!=old\\,shard in (b\\, c)\\,team=x'];
  const objects = objectsIn(await helm(...release, ...looks, ...selects));
  const pool = find(objects, 'AgentWorkerPool', 'agent-worker-pool-test');
  expect(pool?.metadata).toMatchObject({ namespace: 'agents', labels: { shard: 'b', team: 'x' } });
  expect(pool?.metadata.labels).not.toHaveProperty('tier');
  const beside = objects.filter(({ metadata }) => metadata.name === 'agent-worker-pool-test');
  expect(beside.map(({ kind, metadata }) => `${kind} in ${metadata.namespace}`)).toEqual(
    expect.arrayContaining(['Secret in agents', 'Role in agents', 'Pod in agent-worker-pool']),
  );
  const sample = objectsIn(
    await helm(...release, ...selects, '--set', 'operator.leaseName=b', '--set', 'samplePool.enabled=true'),
  );
  expect(find(sample, 'AgentWorkerPool', 'sample')?.metadata.labels).toMatchObject({ shard: 'b', team: 'x' });
});

it('the notes have a pool to paste that names the release', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const notes = await helm('install', 'here', OPERATOR, '-n', 'somewhere', '--dry-run=client');
  const pasted = /^kubectl create namespace [^]*^kubectl wait .*$/m.exec(notes)?.[0] ?? '';
  // As it stands: a shell takes the end of what it is given only where nothing is before it.
  const shell = `kubectl() { echo "# kubectl $*"; if [ "$1" = apply ]; then cat; fi; }\n${pasted}`;
  const typed = await run('bash', ['-c', shell]);
  expect(typed).toContain(
    '--clusterrole here-agent-worker-pool-secrets --serviceaccount somewhere:here-agent-worker-pool',
  );
  expect(objectsIn(typed)).toEqual([
    expect.objectContaining({ kind: 'AgentWorkerPool', metadata: { name: 'agent-jobs', namespace: 'agents' } }),
  ]);
  expect(typed.split('\n').filter((line) => line.startsWith('# kubectl'))).toHaveLength(5);
});

it('the notes of the definition say how the operator is installed from a release and from a checkout', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const notes = await helm('install', 'crds', CRDS, '--dry-run=client');
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  const charts = [...notes.matchAll(/helm install agent-worker-pool (\S+)/g)].map(([, chart]) => chart);
  expect(charts).toEqual([`agent-worker-pool-${version}.tgz`, OPERATOR]);
  expect(notes).toContain('kubectl delete crd agentworkerpools.agentpool.dev');
});
