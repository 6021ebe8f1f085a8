import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolDefinition } from '../../operator/api/crd/manifest.ts';
import { parsePool } from '../../operator/api/parse.ts';
import type { Condition, PoolStatus } from '../../operator/api/pool.ts';
import {
  type Api,
  causesOf,
  connect,
  installCrd,
  type KubeObject,
  makeNamespace,
  objectPath,
  readManifests,
  refusalOf,
} from './api-server.ts';
import { specWith } from './crd-cases.ts';

const GROUP_PATH = '/apis/agentpool.dev/v1alpha1';

type StoredPool = Readonly<{
  metadata: { generation: number; resourceVersion: string };
  spec: unknown;
  status?: PoolStatus;
}>;

const condition = (type: Condition['type'], status: Condition['status']): Condition => ({
  type,
  status,
  observedGeneration: 1,
  lastTransitionTime: '2026-11-24T12:00:00.000Z',
  reason: 'Applied',
  message: 'the pool is applied and rolled out',
});

const status: PoolStatus = {
  observedGeneration: 1,
  replicas: { current: 3, ready: 2, wanted: 5, draining: 0 },
  queue: {
    waiting: 214,
    active: 75,
    delayed: 3,
    failed: 1,
    paused: false,
    oldestWait: '12s',
    meanDuration: '1s500ms',
    source: 'Workers',
    observedAt: '2026-11-24T12:00:00Z',
    seen: true,
  },
  decision: { reason: 'HeldToMaximum', message: '75 active + 214 waiting → 5', at: '2026-11-24T12:00:00.123Z' },
  conditions: [condition('Ready', 'True'), condition('Stalled', 'False')],
};

describe('the resource on a real API server', () => {
  let api: Api;
  let namespace: KubeObject;
  let definition: Awaited<ReturnType<typeof installCrd>>;

  const pool = (name: string, spec: unknown = specWith()): KubeObject => ({
    apiVersion: 'agentpool.dev/v1alpha1',
    kind: 'AgentWorkerPool',
    metadata: { name, namespace: namespace.metadata.name },
    spec,
  });

  const writeStatus = (object: KubeObject, value: unknown) =>
    api.request<StoredPool>({
      method: 'PATCH',
      path: `${objectPath(object)}/status`,
      body: { status: value },
      contentType: 'application/merge-patch+json',
      query: { fieldValidation: 'Strict' },
    });

  beforeAll(async () => {
    api = connect();
    definition = await installCrd(api);
    namespace = await makeNamespace(api, 'crd');
  });
  afterAll(async () => {
    await api.remove(namespace);
    await api.close();
  });

  it('is accepted under strict validation, established, and structural', () => {
    const conditions = Object.fromEntries(
      (definition.status?.conditions ?? []).map(({ type, status }) => [type, status]),
    );
    expect(conditions).toMatchObject({ NamesAccepted: 'True', Established: 'True' });
    expect(conditions).not.toHaveProperty('NonStructuralSchema');
  });

  it('is stored as it was generated: the server dropped nothing', () => {
    expect(definition.spec.versions).toEqual(poolDefinition().spec.versions);
  });

  it('is found as awp, and among all and agents', async () => {
    const { resources } = await api.get<{ resources: { name: string }[] }>(GROUP_PATH);
    expect(resources.find(({ name }) => name === 'agentworkerpools')).toMatchObject({
      shortNames: ['awp'],
      categories: ['all', 'agents'],
      namespaced: true,
    });
    expect(resources.map(({ name }) => name).toSorted()).toEqual(['agentworkerpools', 'agentworkerpools/status']);
  });

  it('gets its defaults from the API server, and they are those of the parser', async () => {
    const stored = await api.create<StoredPool>(pool('defaults'));
    expect(stored.spec).toEqual({
      mode: 'Auto',
      queue: {
        name: 'jobs',
        prefix: 'bull',
        redis: { url: { secretKeyRef: { name: 'jobs-env', key: 'REDIS_URL' } } },
        commandsPerMinute: 120,
      },
      workers: { concurrency: 25, ...(specWith()['workers'] as object) },
      scaling: {
        minReplicas: 0,
        maxReplicas: 20,
        targetWait: '30s',
        schedules: [],
        metrics: { source: 'Workers' },
        scaleUp: { maxPerMinute: 0 },
        scaleDown: { window: '60s' },
      },
      drain: { timeout: '15m', onTimeout: 'Wait' },
      health: {
        interval: '10s',
        timeout: '2s',
        failureThreshold: 3,
        progressTimeout: '2m',
        redis: { mode: 'Required' },
      },
      restarts: {
        policy: 'OnFailure',
        maxRetries: 10,
        backoff: { base: '10s', max: '5m' },
        resetAfter: '10m',
      },
    });
    const undefaulted = parsePool({ ...stored, spec: specWith() });
    expect(undefaulted).toMatchObject({ ok: true });
    expect(parsePool(stored)).toEqual(undefaulted);
  });

  it('keeps every field of the pod template', async () => {
    const template = {
      metadata: { labels: { tier: 'batch' }, creationTimestamp: null },
      spec: {
        nodeSelector: { disk: 'ssd' },
        volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '1Gi' } }],
        containers: [
          {
            name: 'worker',
            image: 'i',
            resources: { limits: { memory: '1Gi', cpu: 2 } },
            env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } }],
            volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
          },
        ],
        initContainers: [{ name: 'migrate', image: 'i', restartPolicy: 'Always' }],
      },
    };
    const stored = await api.create<StoredPool>(pool('template', specWith({ workers: { template } })));
    expect(stored.spec).toMatchObject({ workers: { template } });
  });

  it('has a status of its own, which neither changes nor is changed by the spec', async () => {
    const object = pool('status');
    const created = await api.create<StoredPool>({ ...object, status });
    expect(created.status).toBeUndefined();
    const reported = await writeStatus(object, status);
    expect(reported.status).toEqual(status);
    expect(reported.metadata.generation).toBe(1);
    expect(parsePool(reported)).toMatchObject({ ok: true, pool: { status } });
    const edited = await api.apply<StoredPool>(pool('status', specWith({ scaling: { maxReplicas: 7 } })));
    expect(edited.metadata.generation).toBe(2);
    expect(edited.status).toEqual(status);
  });

  it('has each condition once', async () => {
    const object = pool('conditions');
    await api.create(object);
    const twice = { ...status, conditions: [condition('Ready', 'True'), condition('Ready', 'False')] };
    const refusal = await refusalOf(writeStatus(object, twice));
    expect(refusal.status).toBe(422);
    expect(causesOf(refusal)).toEqual([
      { field: 'status.conditions[1]', message: expect.stringContaining('Duplicate value') },
    ]);
  });

  it('shows in kubectl get what a person asks first, and the rest with -o wide', async () => {
    const object = pool('columns');
    await api.create(object);
    await writeStatus(object, status);
    type Table = { columnDefinitions: { name: string; priority: number }[]; rows: { cells: unknown[] }[] };
    const table = await api.request<Table>({
      method: 'GET',
      path: objectPath(object),
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    const columns = table.columnDefinitions.map(({ name, priority }, i) => ({
      name,
      wide: priority > 0,
      cell: table.rows[0]?.cells[i],
    }));
    expect(columns).toEqual([
      { name: 'Name', wide: false, cell: 'columns' },
      { name: 'Ready', wide: false, cell: 'True' },
      { name: 'Replicas', wide: false, cell: 3 },
      { name: 'Wanted', wide: false, cell: 5 },
      { name: 'Waiting', wide: false, cell: 214 },
      { name: 'Active', wide: false, cell: 75 },
      { name: 'Reason', wide: false, cell: 'HeldToMaximum' },
      { name: 'Age', wide: false, cell: expect.stringMatching(/^\d+s$/) },
      { name: 'Oldest wait', wide: true, cell: '12s' },
      { name: 'Message', wide: true, cell: '75 active + 214 waiting → 5' },
    ]);
  });

  it('is what every checked-in sample says', async () => {
    const own = namespace.metadata.name;
    const objects = await readManifests('deploy/samples/minimal.yaml');
    const kinds = [];
    for (const object of objects) {
      kinds.push(object.kind);
      if (object.kind === 'Namespace') continue;
      expect(object.metadata.namespace).toBe('agents');
      const applied = await api.apply<KubeObject>({ ...object, metadata: { ...object.metadata, namespace: own } });
      if (object.kind === 'AgentWorkerPool') expect(parsePool(applied)).toMatchObject({ ok: true });
    }
    expect(kinds).toEqual(['Namespace', 'Secret', 'RoleBinding', 'AgentWorkerPool']);
  });
});
