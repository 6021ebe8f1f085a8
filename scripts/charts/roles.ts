import { parseAllDocuments } from 'yaml';

type Role = Readonly<{ kind: string; metadata: Readonly<{ name: string }>; rules?: readonly unknown[] }>;

/** The rules of `deploy/base/rbac.yaml`, each list under what it is for. The charts and `deploy/namespaced` use no others. */
export type Rules = Readonly<Record<(typeof SETS)[number][0], readonly unknown[]>>;

const NAME = 'agent-worker-pool';
const SETS = [
  ['operator', 'ClusterRole', NAME],
  ['secrets', 'ClusterRole', `${NAME}-secrets`],
  ['home', 'Role', NAME],
  ['edit', 'ClusterRole', `${NAME}-edit`],
  ['view', 'ClusterRole', `${NAME}-view`],
] as const;

/** Throws when a role is missing, or there is one that no chart would have. */
export function rulesOf(rbacYaml: string): Rules {
  const objects = parseAllDocuments(rbacYaml).map((document) => document.toJS() as Role);
  const roles = objects.filter(({ rules }) => rules !== undefined);
  const known = (role: Role) => SETS.some(([, kind, name]) => role.kind === kind && role.metadata.name === name);
  const unknown = roles.filter((role) => !known(role)).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  if (unknown.length > 0)
    throw new Error(`no chart would have ${unknown.join(', ')}: name it in scripts/charts/roles.ts`);
  const entries = SETS.map(([set, kind, name]) => {
    const role = roles.find((each) => each.kind === kind && each.metadata.name === name);
    if (role?.rules === undefined) throw new Error(`deploy/base/rbac.yaml has no ${kind} ${name}`);
    return [set, role.rules] as const;
  });
  return Object.fromEntries(entries) as Rules;
}

const GRANT = `${NAME}-watched`;
const labels = { 'app.kubernetes.io/name': NAME };
const GROUP = 'rbac.authorization.k8s.io';

/** What the operator may do in one namespace where it has no ClusterRole: the same, with Secrets. */
export const grantOf = (rules: Rules): readonly object[] => [
  {
    apiVersion: `${GROUP}/v1`,
    kind: 'Role',
    metadata: { name: GRANT, labels },
    rules: [...rules.operator, ...rules.secrets],
  },
  {
    apiVersion: `${GROUP}/v1`,
    kind: 'RoleBinding',
    metadata: { name: GRANT, labels },
    roleRef: { apiGroup: GROUP, kind: 'Role', name: GRANT },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: NAME }],
  },
];
