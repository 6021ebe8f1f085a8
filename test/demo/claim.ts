import type { Stage } from '../fixtures/stage/stage.ts';
import { POOL } from './scene.ts';

/** On the namespace that the demo makes first: what it finds beside it later is its own. */
const CLAIM = 'agentpool.dev/demo';

/** The cluster has what the demo would take over and, at its end, take away. */
export class ClusterInUse extends Error {
  constructor(found: readonly string[]) {
    super(
      `this cluster is in use: it has ${found.join(', ')}. ` +
        'The demo would take that over and, at its end, delete the definition and every pool with it. ' +
        'Choose a cluster without an operator of this kind; to see your own at work, apply deploy/samples/minimal.yaml.',
    );
    this.name = 'ClusterInUse';
  }
}

/**
 * Makes sure that all the demo will take away is the demo's, before it brings anything: a cluster with a definition, an
 * operator or a namespace of these names is refused, unless an earlier demo left it there.
 *
 * @throws ClusterInUse with what was found; nothing was changed then.
 */
export async function claimCluster({ kubectl }: Stage): Promise<void> {
  const look = async (args: readonly string[]): Promise<readonly string[]> =>
    (await kubectl.run(['get', ...args, '--ignore-not-found', '-o', 'name'])).split('\n').filter((line) => line !== '');
  if ((await look(['namespace', '-l', `${CLAIM}=true`])).includes(`namespace/${POOL.namespace}`)) return;
  const found = [
    ...(await look(['namespace', POOL.namespace, 'agent-worker-pool'])),
    ...(await look(['crd', 'agentworkerpools.agentpool.dev'])),
    ...(await look(['clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/name=agent-worker-pool'])),
  ];
  if (found.length > 0) throw new ClusterInUse(found);
  await kubectl.run(['create', 'namespace', POOL.namespace]);
  await kubectl.run(['label', 'namespace', POOL.namespace, `${CLAIM}=true`]);
}
