import { describe, expect, it } from 'vitest';
import { createStore } from '../kube/store.ts';
import {
  type AutoscalerObject,
  findAutoscalers,
  projectHpa,
  projectScaledObject,
  TARGET_INDEX,
  targetIndex,
} from './autoscalers.ts';

const metadata = { namespace: 'agents', name: 'scaler', uid: 'u', resourceVersion: '1' };
const scaling = (scaleTargetRef: object | undefined, more: object = {}) => ({
  metadata: { ...metadata, ...more },
  spec: scaleTargetRef === undefined ? {} : { scaleTargetRef },
});
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'agent-jobs' };

const watchOf = (...objects: AutoscalerObject[]) => {
  const store = createStore<AutoscalerObject>({ [TARGET_INDEX]: targetIndex });
  store.replace(objects);
  return store;
};

describe('another autoscaler', () => {
  it('is known by the Deployment that it scales', () => {
    const found = findAutoscalers([watchOf(projectHpa(scaling(deployment)))], {
      namespace: 'agents',
      name: 'agent-jobs',
    });
    expect(found).toEqual([{ kind: 'HorizontalPodAutoscaler', name: 'scaler' }]);
  });

  it.each([
    ['a StatefulSet of that name', { ...deployment, kind: 'StatefulSet' }],
    ['another Deployment', { ...deployment, name: 'web' }],
    ['a Deployment of another group', { ...deployment, apiVersion: 'acme.example/v1' }],
    ['nothing', undefined],
  ])('is none of the pool when it scales %s', (_what, target) => {
    const watch = watchOf(projectHpa(scaling(target)));
    expect(findAutoscalers([watch], { namespace: 'agents', name: 'agent-jobs' })).toEqual([]);
  });

  it('is none of the pool in another namespace', () => {
    const watch = watchOf(projectHpa(scaling(deployment)));
    expect(findAutoscalers([watch], { namespace: 'others', name: 'agent-jobs' })).toEqual([]);
  });

  it("is called by the ScaledObject's name when KEDA made the HPA, and is one with it", () => {
    const owner = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 'jobs' };
    const made = projectHpa(scaling(deployment, { name: 'keda-hpa-jobs', ownerReferences: [owner] }));
    const scaledObject = projectScaledObject(scaling({ name: 'agent-jobs' }, { name: 'jobs' }));
    expect(
      findAutoscalers([watchOf(made), watchOf(scaledObject)], { namespace: 'agents', name: 'agent-jobs' }),
    ).toEqual([{ kind: 'ScaledObject', name: 'jobs' }]);
  });
});
