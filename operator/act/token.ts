import { randomBytes } from 'node:crypto';
import {
  GROUP_VERSION,
  KIND,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  POOL_LABEL,
  TOKEN_KEY,
  tokenSecretOf,
} from '../api/names.ts';
import type { Pool } from '../api/parse.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, wordsOf } from '../kube/errors.ts';
import type { ResourceType } from '../kube/resources.ts';

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

/** Makes the Secret with the token of a pool's replicas, which goes with the pool. Undefined: it is there; else why not, whatever it is: a pool is scaled without it. */
export async function makeToken(client: KubeClient, pool: Pool, signal: AbortSignal): Promise<string | undefined> {
  const { namespace, name, uid } = pool;
  const secret = tokenSecretOf(name);
  const metadata = {
    namespace,
    name: secret,
    labels: { [POOL_LABEL]: name, [MANAGED_BY_LABEL]: MANAGED_BY },
    ownerReferences: [{ apiVersion: GROUP_VERSION, kind: KIND, name, uid, controller: true }],
  };
  try {
    const stringData = { [TOKEN_KEY]: randomBytes(32).toString('hex') };
    const body = { metadata, type: 'Opaque', stringData };
    await client.create(secrets, body, { signal });
    return undefined;
  } catch (error) {
    if (isConflict(error)) return undefined;
    return `Secret ${secret} cannot be made: ${wordsOf(error)}`;
  }
}
