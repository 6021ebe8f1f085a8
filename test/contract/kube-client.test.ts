// What the client's promises rest on, asked of the real API server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIELD_MANAGER } from '../../operator/core/corrections.ts';
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import { credentialsFromKubeConfig } from '../../operator/kube/credentials.ts';
import { isConflict, isNotFound, isTerminalRefusal, type KubeError, lacksRight } from '../../operator/kube/errors.ts';
import { createEventRecorder } from '../../operator/kube/events.ts';
import { silentLogger } from '../../operator/kube/log.ts';
import { deployments, events, type ResourceType } from '../../operator/kube/resources.ts';
import { createTransport, type KubeTransport } from '../../operator/kube/transport.ts';
import { projectDeployment } from '../../operator/observe/cluster.ts';
import { until } from '../cluster/until.ts';
import { soon } from '../fixtures/soon.ts';
import { transportAs } from './api-server.ts';

const configMaps: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
type Deployment = {
  metadata: { namespace: string; name: string; uid: string; resourceVersion: string; generation: number };
  spec: { replicas: number };
  status?: { observedGeneration?: number; conditions?: readonly object[] };
};
/** No node has this label: no pod of such a template starts. */
const NOWHERE = { 'example.com/nowhere': 'true' };
type ConfigMap = { metadata: { namespace: string; name: string; uid: string; resourceVersion: string }; data?: object };

let transport: KubeTransport;
let client: KubeClient;
let names = 0;
beforeAll(() => {
  const credentials = credentialsFromKubeConfig({ kubeconfig: process.env['AWP_KUBECONFIG'] ?? '' });
  transport = createTransport({ credentials });
  client = createKubeClient({ transport });
});
afterAll(() => transport.close());

const fresh = () => {
  names += 1;
  return { namespace: 'default', name: `client-${process.pid}-${names}` };
};
const apply = (metadata: { namespace: string; name: string; resourceVersion?: string }, value: string) => {
  const body = { metadata, data: { value } };
  return client.apply<ConfigMap>(configMaps, body, { fieldManager: 'contract', force: true });
};
const failure = (work: Promise<unknown>): Promise<KubeError> =>
  work.then(
    () => expect.unreachable('it succeeded'),
    (error: unknown) => error as KubeError,
  );

describe('an apply', () => {
  it('without a version creates, and never changes what exists', async () => {
    const ref = fresh();
    const made = await apply(ref, 'first');
    expect(made.data).toEqual({ value: 'first' });
    expect(isConflict(await failure(apply(ref, 'second')))).toBe(true);
    expect((await client.get<ConfigMap>(configMaps, ref))?.data).toEqual({ value: 'first' });
  });

  it('with a version changes that one, and no later one', async () => {
    const ref = fresh();
    const { resourceVersion } = (await apply(ref, 'first')).metadata;
    await apply({ ...ref, resourceVersion }, 'second');
    expect(isConflict(await failure(apply({ ...ref, resourceVersion }, 'third')))).toBe(true);
    expect((await client.get<ConfigMap>(configMaps, ref))?.data).toEqual({ value: 'second' });
  });

  it('that changes nothing leaves the version as it is', async () => {
    const ref = fresh();
    const { resourceVersion } = (await apply(ref, 'same')).metadata;
    expect((await apply({ ...ref, resourceVersion }, 'same')).metadata.resourceVersion).toBe(resourceVersion);
  });

  it('of a field that the schema does not have is refused for good, and sent once', async () => {
    const metadata = fresh();
    const body = { metadata, spec: { replica: 1 } };
    const error = await failure(client.apply(deployments, body, { fieldManager: 'contract', force: true }));
    expect([error.status, isTerminalRefusal(error)]).toEqual([500, true]);
    expect(error.message).toContain('.spec.replica: field not declared in schema');
    const again = await failure(client.apply(deployments, body, { fieldManager: 'contract', force: true }));
    expect(again).toBe(error);
  });

  it('of an invalid object is refused for good, in the server’s words', async () => {
    const selector = { matchLabels: { app: 'a' } };
    const template = { metadata: { labels: { app: 'b' } }, spec: { containers: [{ name: 'worker', image: 'a' }] } };
    const body = { metadata: fresh(), spec: { selector, template } };
    const error = await failure(client.apply(deployments, body, { fieldManager: 'contract', force: true }));
    expect([error.status, isTerminalRefusal(error)]).toEqual([422, true]);
    expect(error.message).toContain('`selector` does not match template `labels`');
  });
});

describe('a raise', () => {
  const manager = { fieldManager: FIELD_MANAGER };
  const make = async (replicas: number) => {
    const metadata = fresh();
    const labels = { app: metadata.name };
    const template = {
      metadata: { labels },
      spec: { nodeSelector: NOWHERE, containers: [{ name: 'worker', image: 'a' }] },
    };
    const body = { metadata, spec: { replicas, selector: { matchLabels: labels }, template } };
    const made = await client.apply<Deployment>(deployments, body, { ...manager, force: true });
    created.push(made);
    return made;
  };
  const created: Deployment[] = [];
  // Their pods wait for a node for as long as they are there.
  afterAll(async () => {
    for (const made of created) {
      await soon(async () => {
        const { metadata } = await read(made);
        await client.deleteWithPreconditions(deployments, metadata, metadata);
      });
    }
  });
  const read = async ({ metadata: { namespace, name } }: Deployment) => {
    const found = await client.get<Deployment>(deployments, { namespace, name });
    return found ?? expect.unreachable('it is gone');
  };
  const scale = ({ metadata: { namespace, name, uid, resourceVersion } }: Deployment, replicas: number, by = manager) =>
    client.scale(deployments, { metadata: { namespace, name, uid, resourceVersion }, spec: { replicas } }, by);
  /** Kubernetes' controllers write a new Deployment too: the version that the write was made on. */
  const onNewest = (made: Deployment, write: (newest: Deployment) => Promise<unknown>): Promise<Deployment> =>
    until(
      async () => {
        const newest = await read(made);
        const error = await write(newest).then(
          () => undefined,
          (refusal: unknown) => refusal,
        );
        if (error !== undefined && !isConflict(error)) throw error;
        return error === undefined && newest;
      },
      { what: 'a write on the newest version' },
    );
  const raise = (made: Deployment, replicas: number, by = manager) =>
    onNewest(made, (newest) => scale(newest, replicas, by));

  it.each([0, 2])('from %i changes the number alone, and adds one to the generation', async (replicas) => {
    const made = await make(replicas);
    const before = await raise(made, 5);
    const after = await read(made);
    expect(after.spec).toEqual({ ...before.spec, replicas: 5 });
    expect(after.metadata.generation).toBe(before.metadata.generation + 1);
  });

  it('of another version, or of another object of that name, is a conflict; of one that is gone, not found', async () => {
    const made = await make(0);
    const before = await raise(made, 2);
    expect(isConflict(await failure(scale(before, 9)))).toBe(true);
    const now = await read(made);
    const other = { ...now, metadata: { ...now.metadata, uid: '00000000-0000-0000-0000-000000000000' } };
    expect(isConflict(await failure(scale(other, 9)))).toBe(true);
    expect((await read(made)).spec.replicas).toBe(2);
    const gone = { ...now, metadata: { ...now.metadata, name: 'not-there' } };
    expect(isNotFound(await failure(scale(gone, 9)))).toBe(true);
  });

  it('is the operator’s own number, before and after the whole is applied again, and another’s is another’s', async () => {
    const made = await make(1);
    const writer = async () => projectDeployment(await read(made)).view.replicasManager;
    await raise(made, 3);
    expect(await writer()).toBe(FIELD_MANAGER);
    await onNewest(made, ({ metadata: { namespace, name, resourceVersion }, spec }) => {
      const body = { metadata: { namespace, name, resourceVersion }, spec: { ...spec, replicas: 2 } };
      return client.apply(deployments, body, { ...manager, force: true });
    });
    expect(await writer()).toBe(FIELD_MANAGER);
    await raise(made, 4, { fieldManager: 'kubectl' });
    expect(await writer()).toBe('kubectl');
    await raise(made, 6);
    expect(await writer()).toBe(FIELD_MANAGER);
  });
});

describe('a deletion', () => {
  it('takes the very object in the very version that was judged', async () => {
    const ref = fresh();
    const first = (await apply(ref, 'first')).metadata;
    const second = (await apply({ ...ref, resourceVersion: first.resourceVersion }, 'second')).metadata;
    expect(isConflict(await failure(client.deleteWithPreconditions(configMaps, ref, first)))).toBe(true);
    const other = { ...second, uid: '00000000-0000-0000-0000-000000000000' };
    expect(isConflict(await failure(client.deleteWithPreconditions(configMaps, ref, other)))).toBe(true);
    expect(await client.deleteWithPreconditions(configMaps, ref, second)).toBe('deleted');
    expect(await client.deleteWithPreconditions(configMaps, ref, second)).toBe('gone');
  });
});

describe('an event', () => {
  it('that is said again becomes a count of the same event', async () => {
    const { namespace, name, uid } = (await apply(fresh(), 'regarded')).metadata;
    const recorder = createEventRecorder({
      client,
      controller: 'contract.test/one',
      instance: 'one',
      log: silentLogger,
    });
    const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name, uid };
    const note = '75 active + 214 waiting × 12 s / 30 s → 7';
    type Event = { regarding: { uid: string }; note: string; series?: { count: number } };
    const stored = async () =>
      (await client.list<Event>(events, { namespace })).items.filter((event) => event.regarding.uid === uid);
    const say = () => recorder.record({ regarding, type: 'Normal', reason: 'Tested', action: 'Test', note });
    say();
    await soon(async () => expect(await stored()).toHaveLength(1));
    say();
    await soon(async () => expect((await stored())[0]?.series?.count).toBe(2));
    expect(await stored()).toMatchObject([{ note }]);
    await recorder.stop();
  });
});

describe('a right that the account has not', () => {
  const everywhere = 'in all namespaces: get it';
  it.each([
    ['/api/v1/pods', `may not list pods ${everywhere}`],
    ['/api/v1/namespaces/default/secrets/a', 'may not get secrets in namespace default: get it'],
    ['/apis/apps/v1/namespaces/default/deployments', 'may not list deployments.apps in namespace default: get it'],
    ['/api/v1/namespaces/default/pods/a/proxy/x', 'may not get pods/proxy in namespace default: get it'],
    [
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      `may not list clusterroles.rbac.authorization.k8s.io ${everywhere}`,
    ],
  ])('of %s is named by the API server so that it is told', async (path, sentence) => {
    const account = { user: 'system:serviceaccount:here:nobody', groups: ['nobodies'] };
    const nobody = transportAs(account, { cureOfMissingRight: () => 'get it' });
    try {
      const error = await failure(nobody.request({ method: 'GET', path }));
      expect([error.message, lacksRight(error)]).toEqual([`the operator's account ${sentence}`, true]);
    } finally {
      await nobody.close();
    }
  });
});
