import { describe, expect, it } from 'vitest';
import { projectDeployment, projectPool } from './cluster.ts';
import { projectPod } from './pods.ts';

const metadata = {
  namespace: 'agents',
  name: 'agent-jobs',
  uid: 'u1',
  resourceVersion: '7',
  generation: 3,
  creationTimestamp: '2026-01-05T12:00:00Z',
  labels: { 'agentpool.dev/pool': 'agent-jobs', 'pod-template-hash': 'abc' },
};

const managed = (manager: string, fieldsV1: object) => ({ manager, operation: 'Apply', fieldsV1 });
const replicas = { 'f:spec': { 'f:replicas': {} } };

describe('a Deployment as decisions see it', () => {
  it('names who wrote its replicas last', () => {
    const managedFields = [
      managed('agent-worker-pool', { 'f:spec': { 'f:template': {} } }),
      managed('kubectl', replicas),
    ];
    const { view } = projectDeployment({ metadata: { ...metadata, managedFields }, spec: { replicas: 3 } });
    expect(view).toMatchObject({ replicas: 3, replicasManager: 'kubectl', labels: metadata.labels, annotations: {} });
  });

  it('belongs to the pool that controls it, not to one that is only an owner', () => {
    const owner = { uid: 'pool', kind: 'AgentWorkerPool', name: 'agent-jobs', controller: true };
    const owned = (ownerReferences: object[]) =>
      projectDeployment({ metadata: { ...metadata, ownerReferences }, spec: { replicas: 1 } }).view;
    expect(owned([owner]).ownerUid).toBe('pool');
    expect(owned([{ ...owner, controller: false }]).ownerUid).toBeUndefined();
    expect(owned([{ ...owner, kind: 'Rollout' }]).ownerUid).toBeUndefined();
  });

  it('says in the words of the cluster why a rollout is stuck', () => {
    const conditions = [
      {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: 'has timed out progressing.',
      },
    ];
    const { view } = projectDeployment({ metadata, spec: { replicas: 1 }, status: { conditions } });
    expect(view.stuckBecause).toBe('has timed out progressing.');
  });

  it('says in the words of the cluster why replicas are not made', () => {
    const message = 'pods "x" is forbidden: exceeded quota: q';
    const conditions = [
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message },
      { type: 'Progressing', status: 'True', message: 'is progressing' },
    ];
    const { view } = projectDeployment({ metadata, spec: { replicas: 1 }, status: { conditions } });
    expect(view.refusedBecause).toBe(message);
    expect(view.stuckBecause).toBeUndefined();
  });

  it('counts what the status leaves out as zero, for Kubernetes leaves zeros out', () => {
    expect(projectDeployment({ metadata, spec: { replicas: 0 } }).view.status).toEqual({
      replicas: 0,
      updated: 0,
      ready: 0,
      available: 0,
    });
  });
});

describe('a pod as decisions see it', () => {
  const spec = {
    containers: [
      { name: 'sidecar', ports: [{ name: 'http', containerPort: 80 }] },
      { name: 'worker', ports: [{ name: 'http', containerPort: 3005 }] },
    ],
  };

  it('is asked on the port named http of its worker container', () => {
    expect(projectPod({ metadata, spec, status: { podIP: '10.0.0.1' } })).toMatchObject({
      port: 3005,
      address: '10.0.0.1',
      pool: 'agents/agent-jobs',
    });
    expect(projectPod({ metadata, spec: { containers: [{ name: 'worker' }] } }).port).toBe(3001);
  });

  it('is ready since its condition says so, and not before', () => {
    const ready = (status: string) =>
      projectPod({
        metadata,
        spec,
        status: { conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-05T12:00:09Z' }] },
      });
    expect(ready('True')).toMatchObject({ ready: true, readyAt: Date.parse('2026-01-05T12:00:09Z') });
    expect(ready('False').ready).toBe(false);
    expect(ready('False').readyAt).toBeUndefined();
  });

  it.each([
    [
      { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' },
      'ImagePullBackOff: Back-off pulling image "x"',
    ],
    [{ reason: 'CreateContainerConfigError' }, 'CreateContainerConfigError'],
    [{ reason: 'CrashLoopBackOff', message: 'back-off 40s' }, 'CrashLoopBackOff: back-off 40s'],
    [{ reason: 'ContainerCreating' }, undefined],
    [{ reason: 'PodInitializing' }, undefined],
    [undefined, undefined],
  ])('cannot start when its kubelet says %j', (waiting, cannotStart) => {
    const broken = { restartCount: 3, state: waiting === undefined ? { running: {} } : { waiting } };
    const well = { restartCount: 0, state: { running: {} } };
    for (const status of [{ containerStatuses: [well, broken] }, { initContainerStatuses: [broken] }]) {
      expect(projectPod({ metadata, spec, status }).cannotStart).toBe(cannotStart);
    }
  });

  it('is not given up for a crash or two', () => {
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    expect(
      projectPod({ metadata, spec, status: { containerStatuses: [{ restartCount: 2, state }] } }).cannotStart,
    ).toBe(undefined);
  });

  it('is marked by label, proof and cost together; with a cost of somebody else the mark is of no proof', () => {
    const cost = 'controller.kubernetes.io/pod-deletion-cost';
    const of = (annotations: object, labels: object = {}) =>
      projectPod({ metadata: { ...metadata, annotations, labels: { ...metadata.labels, ...labels } }, spec });
    const proof = { 'agentpool.dev/proven-idle': 'beside the proof' };
    expect(of({ ...proof, [cost]: '-2147483648' })).toMatchObject({ mark: { of: 'the proof', beside: 'beside' } });
    expect(of({ ...proof, [cost]: '-2147483648' }).foreignCost).toBeUndefined();
    expect(of({ ...proof, [cost]: '100' })).toMatchObject({ mark: { of: '' }, foreignCost: '100' });
    expect(of(proof)).toMatchObject({ mark: { of: '' } });
    expect(of({ [cost]: '7' }, { 'agentpool.dev/serving': 'true' })).toMatchObject({ foreignCost: '7' });
    expect(of({ [cost]: '7' }, { 'agentpool.dev/serving': 'true' }).mark).toBeUndefined();
  });

  it('is terminating from the moment of its deletion', () => {
    expect(projectPod({ metadata: { ...metadata, deletionTimestamp: '2026-01-05T12:00:00Z' }, spec }).terminating).toBe(
      true,
    );
  });
});

describe('a pool as passes see it', () => {
  it('has the same intent after a status write, and another one after a change of spec, annotations or deletion', () => {
    const intent = (over: object, rest: object = {}) =>
      projectPool({ metadata: { ...metadata, ...over }, spec: {}, ...rest }).intentKey;
    expect(intent({ resourceVersion: '8' }, { status: { observedGeneration: 3 } })).toBe(intent({}));
    expect(intent({ generation: 4 })).not.toBe(intent({}));
    expect(intent({ annotations: { a: 'b' } })).not.toBe(intent({}));
    expect(intent({ deletionTimestamp: '2026-01-05T12:00:00Z' })).not.toBe(intent({}));
    expect(intent({ uid: 'u2' })).not.toBe(intent({}));
  });

  it('that cannot be read keeps its name and says what is wrong', () => {
    const pool = projectPool({ metadata, spec: { queue: { name: 'a:b' } } });
    expect(pool.name).toBe('agent-jobs');
    expect(pool.parsed.ok).toBe(false);
  });
});
