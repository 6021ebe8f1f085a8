import { KubeConfig } from '@kubernetes/client-node';
import { API_GROUP, API_VERSION, KIND, PLURAL } from '../../operator/api/names.ts';
import { type Pool, parsePool } from '../../operator/api/parse.ts';
import { createKubeClient } from '../../operator/kube/client.ts';
import { credentialsFromKubeConfig } from '../../operator/kube/credentials.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import type { ResourceType } from '../../operator/kube/resources.ts';
import { createTransport } from '../../operator/kube/transport.ts';
import { CommandError, messageOf } from '../command-error.ts';

const pools: ResourceType = { group: API_GROUP, version: API_VERSION, plural: PLURAL, kind: KIND, namespaced: true };

/** Which pool, and how to reach its cluster; what is absent is as in kubectl. */
export type PoolChoice = Readonly<{ name: string; namespace?: string; context?: string; kubeconfig?: string }>;

type Listed = Readonly<{ metadata?: Readonly<{ name?: string }> }>;

/** Reads a pool from its cluster. Throws `CommandError` with what to do when there is none, or none may be read. */
export async function readPool({ name, namespace, ...access }: PoolChoice): Promise<Pool> {
  const inNamespace = namespace ?? namespaceOf(access);
  const transport = createTransport({ credentials: credentialsFromKubeConfig(access) });
  try {
    const client = createKubeClient({ transport });
    const found = await client.get<unknown>(pools, { namespace: inNamespace, name });
    if (found !== undefined) return parsed(found, `${inNamespace}/${name}`);
    const others = await client.list<Listed>(pools, { namespace: inNamespace }).catch(unlessForbidden);
    throw new CommandError(sayMissing(`${inNamespace}/${name}`, others?.items));
  } catch (error) {
    throw readable(error);
  } finally {
    await transport.close();
  }
}

/** The namespace of the context, as kubectl has it. */
function namespaceOf({ context, kubeconfig }: Pick<PoolChoice, 'context' | 'kubeconfig'>): string {
  try {
    const config = new KubeConfig();
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    return config.getContextObject(context ?? config.getCurrentContext())?.namespace ?? 'default';
  } catch (error) {
    throw new CommandError(`the kubeconfig cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function parsed(object: unknown, name: string): Pool {
  const pool = parsePool(object);
  if (pool.ok) return pool.pool;
  throw new CommandError(
    `${name} is not a pool that this version of awp understands:\n  ${pool.problems.join('\n  ')}`,
  );
}

/** The right to `get` a pool is enough to be told that there is none. */
function unlessForbidden(error: unknown): undefined {
  if (error instanceof KubeError && error.status === 403) return undefined;
  throw error;
}

function sayMissing(name: string, items: readonly Listed[] | undefined): string {
  if (items === undefined) return `there is no pool ${name}`;
  const names = items.flatMap(({ metadata }) => metadata?.name ?? []);
  const there =
    names.length === 0 ? 'there is none in this namespace (-n NAMESPACE)' : `there are: ${names.join(', ')}`;
  return `there is no pool ${name}; ${there}`;
}

function readable(error: unknown): unknown {
  if (error instanceof CommandError) return error;
  if (error instanceof KubeError && error.status === 404) {
    return new CommandError('the cluster has no AgentWorkerPools: install the definition, crds/', { cause: error });
  }
  return new CommandError(`the pool cannot be read: ${messageOf(error)}`, { cause: error });
}
