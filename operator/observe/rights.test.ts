import { expect, it } from 'vitest';
import { Grants } from './rights.ts';

const options = { secretsRole: 'release-secrets', account: 'here:release', watchNamespaces: [] };
const may = (resource: string, namespace?: string) => ({ verb: 'get', resource, group: '', namespace });

it('what is missing comes back with the roles, Secrets by a binding in their namespace', () => {
  const grants = new Grants(options);
  expect(grants.of(may('pods', 'agents'))).toBe(
    'give it its roles again, by helm upgrade --force-conflicts or kubectl apply -f deploy/base/rbac.yaml',
  );
  expect(grants.of(may('secrets', 'agents'))).toBe(
    'kubectl create rolebinding release-secrets -n agents --clusterrole=release-secrets --serviceaccount=here:release',
  );
});

it('an operator of some namespaces has one role in each of them, Secrets included', () => {
  const grants = new Grants({ ...options, watchNamespaces: ['agents'] });
  for (const right of [may('pods', 'agents'), may('secrets', 'agents')]) {
    expect(grants.of(right)).toBe(
      'give it its roles again, by helm upgrade --force-conflicts or kubectl apply -n NAMESPACE -k deploy/namespaced/grant',
    );
  }
});
