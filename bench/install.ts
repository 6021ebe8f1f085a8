import { join, resolve } from 'node:path';
import { acquire } from '../test/cluster/binaries/acquire.ts';
import { clusterDown, clusterUp } from '../test/cluster/cluster.ts';
import { run } from '../test/cluster/exec.ts';
import { until } from '../test/cluster/until.ts';
import { importBuiltImages } from '../test/fixtures/stage/built-images.ts';
import { OPERATOR_NAMESPACE } from '../test/fixtures/stage/install.ts';
import { readDeployment } from '../test/fixtures/stage/pool.ts';
import { openStage, type Stage } from '../test/fixtures/stage/stage.ts';
import { openTenant } from '../test/fixtures/stage/tenant.ts';
import { helm as helmTool } from '../test/tools/catalog.ts';
import { type BenchContext, defineBench } from './harness.ts';

const CLUSTER = 'bench';
const RUNS = 5;
const MEGABYTE = 1e6;
const RELEASE = 'agent-worker-pool';
/** Looked at so often, once the pool is Ready, a minute long. */
const LOOKS = 6;
const LOOK_EVERY_MS = 10_000;

/**
 * From `helm install` of the operator's chart, its image on the node and the definition there, until both of its replicas
 * are Ready. Its memory: resident, of the whole process, with one pool that has nothing to do. The images: unpacked.
 */
export const bench = defineBench({
  name: 'install',
  figures: [
    { id: 'install.ready_s', unit: 's' },
    { id: 'install.operator_rss_mb', unit: 'MB' },
    { id: 'install.operator_image_mb', unit: 'MB' },
    { id: 'install.worker_image_mb', unit: 'MB' },
  ],
  run: async (context) => {
    const program = (await acquire(helmTool, context.say)).get('helm') ?? 'helm';
    const handle = await clusterUp({ name: CLUSTER, progress: context.say });
    const stage = openStage({ kind: 'embedded', cluster: CLUSTER, kubeconfig: handle.kubeconfigOutside });
    const helm: Helm = (...args) =>
      run(program, [...args, '--kubeconfig', handle.kubeconfigOutside, '--namespace', OPERATOR_NAMESPACE]);
    try {
      const { sizes } = await importBuiltImages(handle);
      context.record('install.operator_image_mb', sizes.operator / MEGABYTE);
      context.record('install.worker_image_mb', sizes.worker / MEGABYTE);
      await measureInstall(stage, helm, context);
      await measureMemory(stage, context);
    } finally {
      await stage.close();
      await clusterDown(CLUSTER, context.say);
    }
  },
});

type Helm = (...args: string[]) => Promise<string>;

const chart = (name: string): string => join(resolve(import.meta.dirname, '..'), 'charts', name);

/** The last of the installations stays. */
async function measureInstall(stage: Stage, helm: Helm, { record, say, signal }: BenchContext): Promise<void> {
  await helm('install', `${RELEASE}-crds`, chart('agent-worker-pool-crds'), '--create-namespace');
  for (let each = 1; each <= RUNS; each++) {
    signal.throwIfAborted();
    const startedAt = performance.now();
    await helm('install', RELEASE, chart(RELEASE));
    await until(
      async () => {
        const deployment = await readDeployment(stage, { namespace: OPERATOR_NAMESPACE, name: RELEASE });
        return deployment?.status?.readyReplicas === deployment?.spec.replicas;
      },
      { what: 'the operators are Ready', limitMs: 120_000, everyMs: 20 },
    );
    const seconds = (performance.now() - startedAt) / 1000;
    record('install.ready_s', seconds);
    say(`run ${each} of ${RUNS}: Ready after ${seconds.toFixed(1)} s`);
    if (each < RUNS) await helm('uninstall', RELEASE, '--wait');
  }
}

async function measureMemory(stage: Stage, { record, say, signal }: BenchContext): Promise<void> {
  const tenant = await openTenant(stage, 'install');
  await tenant.addPool({ name: 'idle' });
  const place = await stage.reach({ namespace: OPERATOR_NAMESPACE, name: RELEASE, port: 8080 });
  for (let look = 1; look <= LOOKS; look++) {
    signal.throwIfAborted();
    await new Promise((resolve) => void setTimeout(resolve, LOOK_EVERY_MS));
    const metrics = await (await fetch(`http://${place.host}:${place.port}/metrics`)).text();
    const bytes = Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]);
    record('install.operator_rss_mb', bytes / MEGABYTE);
    say(`look ${look} of ${LOOKS}: ${(bytes / MEGABYTE).toFixed(0)} MB resident`);
  }
  await place.stop();
  await tenant.close();
}
