import { clusterDown, clusterUp } from '../cluster/cluster.ts';
import { CannotRunHere } from '../cluster/host.ts';
import { updateImages } from '../cluster/images/project.ts';
import { onStderr } from '../cluster/progress.ts';
import { findCluster } from '../cluster/state.ts';
import { installOperator } from '../fixtures/stage/install.ts';
import { openStage, type Stage } from '../fixtures/stage/stage.ts';
import { ClusterInUse, claimCluster } from './claim.ts';
import { type DemoOptions, parseDemoOptions, USAGE, UsageError } from './options.ts';
import { playBurst } from './play.ts';
import { clearScene, POOL, setScene } from './scene.ts';
import { asJson, isGood, summary } from './summary.ts';

/** Tables and sentences are for people; with --json, stdout carries nothing but the one object. */
const say = (options: DemoOptions) => (text: string) =>
  void (options.json ? process.stderr : process.stdout).write(`${text}\n`);

async function openStageOf(options: DemoOptions, progress: (line: string) => void): Promise<Stage> {
  const { context, kubeconfig, images, name } = options;
  if (context !== undefined || kubeconfig !== undefined) {
    const way = {
      kind: 'foreign' as const,
      ...(context === undefined ? {} : { context }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
    };
    return openStage(way, images);
  }
  const wasUp = findCluster(name) !== undefined;
  const handle = await clusterUp({ name, progress });
  // One that was kept has the images of its time.
  if (wasUp) await updateImages(handle, progress);
  return openStage({ kind: 'embedded', cluster: name, kubeconfig: handle.kubeconfigOutside }, images);
}

async function demo(options: DemoOptions, ending: AbortSignal): Promise<number> {
  const tell = say(options);
  const progress = onStderr();
  const stage = await openStageOf(options, progress);
  if (stage.cluster === undefined) await claimCluster(stage);
  try {
    ending.throwIfAborted();
    progress('installing the operator');
    await installOperator(stage);
    progress('starting Redis and applying the pool');
    const scene = await setScene(stage, { fresh: options.keep });
    progress(`adding ${options.jobs} jobs of 0.5 to 3 s`);
    const played = await playBurst(stage, { scene, jobs: options.jobs, tell, ending });
    tell(summary(played));
    if (options.keep) tell(lookAround(stage));
    if (options.json) process.stdout.write(`${asJson(played)}\n`);
    return isGood(played) ? 0 : 1;
  } finally {
    if (!options.keep) await cleanUp(stage, progress);
    await stage.close();
  }
}

async function cleanUp(stage: Stage, progress: (line: string) => void): Promise<void> {
  progress('cleaning up');
  if (stage.cluster === undefined) await clearScene(stage);
  else await clusterDown(stage.cluster, progress);
}

function lookAround(stage: Stage): string {
  const kubectl = stage.kubectl.command.join(' ');
  const { namespace, name } = POOL;
  const commands = [
    `get awp -n ${namespace} -o wide`,
    `describe awp ${name} -n ${namespace}`,
    `get pods -n ${namespace} -w`,
    `logs -n agent-worker-pool deployment/agent-worker-pool -f`,
  ];
  const end =
    stage.cluster === undefined
      ? `${kubectl} delete namespace ${namespace} agent-worker-pool`
      : `npm run cluster -- down --name ${stage.cluster}`;
  return [
    '',
    'It is still running. To look around:',
    ...commands.map((command) => `  ${kubectl} ${command}`),
    'To end it:',
    `  ${end}`,
  ].join('\n');
}

/** Resolves with the exit code: 0 when every job ran once and the pool is back at zero, 130 after Ctrl-C. */
async function main(argv: readonly string[]): Promise<number> {
  const ending = new AbortController();
  const end = () => ending.abort(new Error('interrupted'));
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  try {
    const options = parseDemoOptions(argv);
    if (options.help) process.stdout.write(`${USAGE}\n`);
    return options.help ? 0 : await demo(options, ending.signal);
  } catch (error) {
    if (ending.signal.aborted) return 130;
    if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    else if (error instanceof CannotRunHere || error instanceof ClusterInUse)
      process.stderr.write(`${error.message}\n`);
    else process.stderr.write(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exit(await main(process.argv.slice(2)));
