import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksRight } from '../../operator/kube/errors.ts';
import { until } from '../cluster/until.ts';
import {
  type Api,
  collectionPath,
  connect,
  installCrd,
  type KubeObject,
  makeNamespace,
  readManifests,
  refusalOf,
} from './api-server.ts';

const HOME = 'agent-worker-pool';

const serviceAccount = (namespace: string, name: string) => ({
  user: `system:serviceaccount:${namespace}:${name}`,
  groups: [`system:serviceaccounts:${namespace}`],
});

/** Everything that the operator may do in any namespace. Whoever adds to it adds it here, and says why in the RBAC. */
const everywhere = [
  'agentpool.dev/agentworkerpools: get, list, watch',
  'agentpool.dev/agentworkerpools/status: update',
  'apps/deployments: create, get, list, patch, watch',
  'apps/deployments/scale: update',
  'apps/replicasets: get, list, watch',
  'autoscaling/horizontalpodautoscalers: list, watch',
  'events.k8s.io/events: create, patch',
  'keda.sh/scaledobjects: list, watch',
  'pods: delete, get, list, patch, watch',
  'policy/poddisruptionbudgets: create',
];
const atHome = ['coordination.k8s.io/leases: create, get, update, watch'];
const whereGranted = ['secrets: create, get'];

type Rule = Readonly<{ apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }>;
type Review = Readonly<{ status: { incomplete: boolean; resourceRules: Rule[] } }>;

type PodOwner = Readonly<{ template: { metadata: object; spec: { containers: object[] } } }>;

const rightsFrom = (rules: readonly Rule[]): string[] =>
  rules
    .flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.map((resource) => {
          const only = resourceNames ? `[${resourceNames.join(', ')}]` : '';
          return `${group === '' ? '' : `${group}/`}${resource}${only}: ${verbs.toSorted().join(', ')}`;
        }),
      ),
    )
    .toSorted();

describe("the operator's account", () => {
  let api: Api;
  let operator: Api;
  let anybody: Api;
  let namespace: KubeObject;

  const rightsOf = async (account: Api, where: string): Promise<string[]> => {
    const { status } = await account.request<Review>({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: where } },
    });
    expect(status.incomplete).toBe(false);
    return rightsFrom(status.resourceRules);
  };
  /** Its rights beyond those of any account at all (asking who it is and what it may do). */
  const ownRights = async (where: string): Promise<string[]> => {
    const common = new Set(await rightsOf(anybody, where));
    return (await rightsOf(operator, where)).filter((right) => !common.has(right));
  };

  /** The API server's authorizer learns of a role a moment after it was written. */
  const expectRights = (where: string, rights: readonly string[]) =>
    expect.poll(() => ownRights(where), { timeout: 60_000 }).toEqual(rights.toSorted());

  beforeAll(async () => {
    api = connect();
    await installCrd(api);
    for (const file of ['namespace', 'rbac']) {
      for (const object of await readManifests(`deploy/base/${file}.yaml`)) await api.apply(object);
    }
    namespace = await makeNamespace(api, 'rbac');
    operator = connect(serviceAccount(HOME, 'agent-worker-pool'));
    anybody = connect(serviceAccount(HOME, 'somebody-else'));
  });
  afterAll(async () => {
    await api.remove(namespace);
    await Promise.all([api, operator, anybody].map((connection) => connection.close()));
  });

  it('may do what this list says and nothing else, in any namespace', async () => {
    await expectRights(namespace.metadata.name, everywhere);
    await expectRights('kube-system', everywhere);
  });

  it('may elect a leader in its own namespace, and nowhere else', async () => {
    await expectRights(HOME, [...everywhere, ...atHome]);
  });

  it('reads no Secret before the namespace grants it, then its Secrets by name and no others', async () => {
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'jobs-env', namespace: namespace.metadata.name },
    };
    await api.create(secret);
    const refusal = await refusalOf(operator.get(secret));
    expect(refusal).toMatchObject({ status: 403 });
    expect(lacksRight(refusal)).toBe(true);
    await api.apply({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'agent-worker-pool-secrets', namespace: namespace.metadata.name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'agent-worker-pool-secrets' },
      subjects: [{ kind: 'ServiceAccount', name: 'agent-worker-pool', namespace: HOME }],
    });
    await until(async () => (await operator.get(secret).catch(() => undefined)) !== undefined, {
      what: 'the operator may read the Secret',
      limitMs: 60_000,
    });
    await expectRights(namespace.metadata.name, [...everywhere, ...whereGranted]);
    expect(await refusalOf(operator.get(collectionPath(secret)))).toMatchObject({ status: 403 });
    expect(await refusalOf(operator.get('/api/v1/namespaces/kube-system/secrets/any'))).toMatchObject({ status: 403 });
  });

  it('in the variant for some namespaces has all of it in each that grants it, and nothing elsewhere', async () => {
    const limited = connect(serviceAccount(HOME, 'limited'));
    const rightsIn = async (where: string): Promise<string[]> => {
      const common = new Set(await rightsOf(anybody, where));
      return (await rightsOf(limited, where)).filter((right) => !common.has(right));
    };
    for (const object of await readManifests('deploy/namespaced/grant/rbac.yaml')) {
      const metadata = { ...object.metadata, namespace: namespace.metadata.name };
      const subjects = [{ kind: 'ServiceAccount', name: 'limited', namespace: HOME }];
      await api.apply({ ...object, metadata, ...(object.kind === 'RoleBinding' ? { subjects } : {}) });
    }
    const all = [...everywhere, ...whereGranted].toSorted();
    await expect.poll(() => rightsIn(namespace.metadata.name), { timeout: 60_000 }).toEqual(all);
    expect(await rightsIn('kube-system')).toEqual([]);
    await limited.close();
  });

  it('runs in a pod that the restricted Pod Security Standard admits', async () => {
    const [deployment] = await readManifests('deploy/base/deployment.yaml');
    if (!deployment) throw new Error('the Deployment file is empty');
    const { template } = deployment['spec'] as PodOwner;
    const pod = (spec: object): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: 'admitted', namespace: HOME },
      spec,
    });
    await expect(api.create(pod(template.spec), { dryRun: 'All' })).resolves.toBeDefined();
    const lax = { ...template.spec, containers: template.spec.containers.map((c) => ({ ...c, securityContext: {} })) };
    expect((await refusalOf(api.create(pod(lax), { dryRun: 'All' }))).body?.message).toContain('restricted');
  });

  it('is deployed by manifests that the API server accepts under strict validation', async () => {
    for (const file of ['deployment', 'service']) {
      for (const object of await readManifests(`deploy/base/${file}.yaml`)) {
        await expect(api.apply(object, { dryRun: 'All' })).resolves.toMatchObject({ kind: object.kind });
      }
    }
  });
});

describe('people', () => {
  let api: Api;
  let namespace: KubeObject;

  beforeAll(async () => {
    api = connect();
    await installCrd(api);
    for (const object of await readManifests('deploy/base/rbac.yaml')) {
      if (object.kind === 'ClusterRole') await api.apply(object);
    }
    namespace = await makeNamespace(api, 'people');
  });
  afterAll(async () => {
    await api.remove(namespace);
    await api.close();
  });

  it.each([
    ['view', ['get', 'list', 'watch'], ['create', 'update', 'patch', 'delete']],
    ['edit', ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'], []],
    ['admin', ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'], []],
  ])('with the role %s may %j pools', async (role, may, mayNot) => {
    const person = { user: `${role}-person`, groups: ['people'] };
    await api.create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: role, namespace: namespace.metadata.name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: person.user }],
    });
    const isAllowed = async (verb: string, subresource = ''): Promise<boolean> => {
      const { name } = namespace.metadata;
      const attributes = { group: 'agentpool.dev', resource: 'agentworkerpools', subresource, verb, namespace: name };
      const review = await api.request<{ status: { allowed: boolean } }>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: { ...person, resourceAttributes: attributes },
        },
      });
      return review.status.allowed;
    };
    await until(async () => (await Promise.all(may.map((verb) => isAllowed(verb)))).every(Boolean), {
      what: `the role ${role} may ${may.join(', ')}`,
      limitMs: 60_000,
    });
    expect(await Promise.all(mayNot.map((verb) => isAllowed(verb)))).toEqual(mayNot.map(() => false));
    expect(await isAllowed('update', 'status')).toBe(false);
  });
});
