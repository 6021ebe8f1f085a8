import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import type { ClusterAccess } from './cluster-access.ts';
import type { ClusterSession } from './cluster-session.ts';

/** The cluster behind a context of the person's kubeconfig. It is only used: never started, never ended. */
export function foreignCluster(context: string): ClusterSession {
  let folder: string | undefined;

  async function open(): Promise<ClusterAccess> {
    const config = new KubeConfig();
    config.loadFromDefault();
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      return { kind: 'failed', because: `there is no context "${context}"; there are: ${names.join(', ')}` };
    }
    config.setCurrentContext(context);
    folder ??= await mkdtemp(join(tmpdir(), 'agent-worker-pool-context-'));
    const kubeconfig = join(folder, 'kubeconfig.json');
    await writeFile(kubeconfig, config.exportConfig(), { mode: 0o600 });
    return {
      kind: 'ready',
      diagnostics: { kubectl: 'kubectl', kubeconfig },
      surroundings: {
        wrap: (command) => command,
        env: { AWP_CLUSTER: '', AWP_KUBECONFIG: kubeconfig, KUBECONFIG: kubeconfig },
      },
    };
  }

  async function close(): Promise<undefined> {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    return undefined;
  }

  return { open, close };
}
