import { describe, expect, it, vi } from 'vitest';
import { sampleDeletion, samplePool } from '../core/state.fixture.ts';
import { renderDeployment } from '../core/deployment.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorFromAnswer, KubeError } from '../kube/errors.ts';
import { applyDeployment } from './apply.ts';
import { makeDisruptionBudget } from './disruption-budget.ts';
import { deleteReplica } from './restart.ts';
import { makeToken } from './token.ts';

const pool = samplePool();
const { signal } = new AbortController();

const answer = (status: number, message: string) =>
  errorFromAnswer({ method: 'PATCH', path: '/x', status, text: JSON.stringify({ kind: 'Status', message }) });
const unreachable = new KubeError({ status: 0, reason: 'Timeout', message: 'PATCH /x: no answer within 30 s' });

/** A client whose every write ends like this. */
const failing = (error: unknown): KubeClient => {
  const reject = vi.fn().mockRejectedValue(error);
  return { apply: reject, scale: reject, create: reject, deleteWithPreconditions: reject } as unknown as KubeClient;
};

describe('an apply', () => {
  const action = { kind: 'apply', manifest: renderDeployment(pool, { replicas: 1 }), templateKey: 'key' } as const;

  it.each([
    ['conflict', answer(409, 'the object has been modified')],
    ['refused', answer(422, 'spec.replicas: Invalid value')],
    ['refused', answer(403, 'deployments.apps "x" is forbidden: exceeded quota: full')],
    ['failed', answer(500, 'failed calling webhook')],
    ['failed', answer(403, 'deployments.apps "x" is forbidden: User "operator" cannot patch resource "deployments"')],
    ['unanswered', unreachable],
    ['unanswered', new DOMException('the pass took longer than its limit', 'TimeoutError')],
  ])('is told to be %s, so that one which may still arrive is fenced off', async (kind, error) => {
    expect(await applyDeployment(failing(error), action, signal)).toMatchObject({ kind });
  });
});

describe('a raise', () => {
  const raise = { uid: 'uid', resourceVersion: '7', generation: 3, fence: '1.first' };
  const manifest = renderDeployment(pool, { replicas: 9, resourceVersion: '7' });
  const action = { kind: 'apply', manifest, templateKey: 'key', raise } as const;
  const noRight = answer(
    403,
    'deployments.apps "x" is forbidden: User "operator" cannot update resource "deployments/scale"',
  );

  it('writes the number alone, on the version that was decided on, and adds one to its generation', async () => {
    const scale = vi.fn<KubeClient['scale']>().mockResolvedValue();
    const outcome = await applyDeployment({ scale } as unknown as KubeClient, action, signal);
    expect(outcome).toEqual({
      kind: 'applied',
      applied: { uid: 'uid', generation: 4, replicas: 9, templateKey: 'key', raisedUnder: '1.first' },
    });
    const { namespace, name } = pool;
    const body = { metadata: { namespace, name, uid: 'uid', resourceVersion: '7' }, spec: { replicas: 9 } };
    expect(scale.mock.calls[0]?.[1]).toEqual(body);
  });

  it('is a whole apply to an operator whose roles are of a version that had no such right', async () => {
    const applied = { metadata: { uid: 'uid', generation: 4 }, spec: { replicas: 9 } };
    const client = {
      scale: vi.fn<KubeClient['scale']>().mockRejectedValue(noRight),
      apply: vi.fn<KubeClient['apply']>().mockResolvedValue(applied),
    };
    const outcome = await applyDeployment(client as unknown as KubeClient, action, signal);
    expect(outcome).toEqual({
      kind: 'applied',
      applied: { uid: 'uid', generation: 4, replicas: 9, templateKey: 'key' },
    });
    expect(client.apply.mock.calls[0]?.[1]).toEqual(manifest);
  });

  it.each([
    ['conflict', answer(409, 'the object has been modified')],
    ['conflict', answer(404, 'deployments.apps "x" not found')],
    ['refused', answer(403, 'deployments.apps "x" is forbidden: not more than 5')],
    ['failed', answer(500, 'failed calling webhook')],
    ['failed', noRight],
    ['unanswered', unreachable],
  ])('is told to be %s as a whole apply is', async (kind, error) => {
    expect(await applyDeployment(failing(error), action, signal)).toMatchObject({ kind });
  });
});

describe('what stands beside the Deployment', () => {
  it.each([answer(500, 'failed calling webhook'), answer(403, 'forbidden'), unreachable])(
    'keeps no pool from being scaled when it cannot be made: %s',
    async (error) => {
      expect(await makeToken(failing(error), pool, signal)).toMatch(/^Secret .* cannot be made: /);
      expect(await makeDisruptionBudget(failing(error), pool, signal)).toMatch(/cannot be made: /);
    },
  );
});

describe('a restart', () => {
  const deletion = sampleDeletion;

  it.each(['pods is forbidden', 'pods "pod-0" is forbidden: User "operator" cannot delete resource "pods"'])(
    'that is not allowed says so, and leaves the pool to be scaled: %s',
    async (because) => {
      expect(await deleteReplica(failing(answer(403, because)), pool, { deletion, signal })).toEqual({
        kind: 'refused',
        because: `replica pod-0 cannot be restarted: ${because}`,
      });
    },
  );

  it('of a pod that has changed is a conflict', async () => {
    expect(await deleteReplica(failing(answer(409, 'changed')), pool, { deletion, signal })).toEqual({
      kind: 'conflict',
    });
  });
});
