import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { grantOf, rulesOf } from './roles.ts';

const role = (kind: string, name: string, resource: string) => ({
  kind,
  metadata: { name },
  rules: [{ resources: [resource] }],
});

const roles = [
  role('ClusterRole', 'agent-worker-pool', 'pods'),
  role('ClusterRole', 'agent-worker-pool-secrets', 'secrets'),
  role('Role', 'agent-worker-pool', 'leases'),
  role('ClusterRole', 'agent-worker-pool-edit', 'pools'),
  role('ClusterRole', 'agent-worker-pool-view', 'pools'),
];
const yaml = (objects: readonly object[]) => objects.map((object) => stringify(object)).join('---\n');

it('where there is no ClusterRole, a namespace grants all that it would give, and its Secrets', () => {
  const [granted, binding] = grantOf(rulesOf(yaml([...roles, { kind: 'ServiceAccount', metadata: { name: 'x' } }])));
  expect(granted).toMatchObject({ kind: 'Role', rules: [{ resources: ['pods'] }, { resources: ['secrets'] }] });
  expect(binding).toMatchObject({ kind: 'RoleBinding', roleRef: { kind: 'Role', name: 'agent-worker-pool-watched' } });
});

it('a role that the charts would leave out is named, and one that is gone too', () => {
  expect(() => rulesOf(yaml([...roles, role('ClusterRole', 'more', 'nodes')]))).toThrow(
    'no chart would have ClusterRole more',
  );
  expect(() => rulesOf(yaml(roles.slice(1)))).toThrow('has no ClusterRole agent-worker-pool');
});
