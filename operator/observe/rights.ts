import type { MissingRight } from '../kube/errors.ts';

/** How the operator was given its rights: the ClusterRole for Secrets, and its account, as NAMESPACE:NAME. */
export type GrantOptions = Readonly<{ secretsRole: string; account: string; watchNamespaces: readonly string[] }>;

/** What to do about a right that the operator's account has not, however it was installed. */
export class Grants {
  readonly #options: GrantOptions;

  constructor(options: GrantOptions) {
    this.#options = options;
  }

  /** Its roles are there, or somebody has cut them. */
  get ofRoles(): string {
    const again = 'give it its roles again, by helm upgrade --force-conflicts or kubectl apply';
    return this.#isOfSome ? `${again} -n NAMESPACE -k deploy/namespaced/grant` : `${again} -f deploy/base/rbac.yaml`;
  }

  /** Those of a namespace come by a binding there, or, to an operator of some namespaces, with all the rest. */
  ofSecrets(namespace: string): string {
    const { secretsRole, account } = this.#options;
    if (this.#isOfSome) return this.ofRoles;
    return `kubectl create rolebinding ${secretsRole} -n ${namespace} --clusterrole=${secretsRole} --serviceaccount=${account}`;
  }

  of({ resource, namespace }: MissingRight): string {
    return resource === 'secrets' && namespace !== undefined ? this.ofSecrets(namespace) : this.ofRoles;
  }

  get #isOfSome(): boolean {
    return this.#options.watchNamespaces.length > 0;
  }
}
