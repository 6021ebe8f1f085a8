import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { acquireAll } from '../cluster/binaries/acquire.ts';
import { containerd, runc } from '../cluster/binaries/catalog.ts';
import { onPath, run } from '../cluster/exec.ts';
import { assertCanRun } from '../cluster/host.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheDir, cgroupOf, clusterSource } from '../cluster/paths.ts';
import { silent } from '../cluster/progress.ts';
import { until } from '../cluster/until.ts';
import { docker as dockerTool } from '../tools/catalog.ts';

/** A Docker engine. */
export type Engine = Readonly<{
  /** Runs its command line; resolves with stdout. Throws CommandError with what it said. */
  docker: (args: readonly string[]) => Promise<string>;
  /** By which other clients find it, and testcontainers knows that its containers are reached at this address. */
  env: Readonly<Record<string, string>>;
  /** Ends it and everything that runs in it. Its images are kept for the next start. */
  stop: () => Promise<void>;
}>;

const NAME = 'engine';
const START_MS = 60_000;

/**
 * The engine that answers on this machine, else Debian's, started for the caller. One at a time on a machine: a second
 * caller waits for the first to stop. Throws CannotRunHere or ToolUnavailable, whose message says why there is none.
 */
export async function startEngine(): Promise<Engine> {
  const answering = await engineOfMachine();
  if (answering) return answering;
  await assertCanRun();
  const programs = await acquireAll([dockerTool, containerd, runc], silent);
  const release = await holdLock(join(cacheDir(), 'locks', NAME));
  const work = await mkdtemp(join(tmpdir(), 'awp-engine-'));
  const socket = join(work, 'docker.sock');
  const config = join(work, 'config');
  await mkdir(join(config, 'cli-plugins'), { recursive: true });
  await symlink(programs.get('docker-buildx') ?? '', join(config, 'cli-plugins', 'docker-buildx'));
  const end = await startDaemon({ programs, socket, log: join(work, 'dockerd.log') });
  const host = `unix://${socket}`;
  const env = { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: config };
  const docker: Engine['docker'] = (args) => run(programs.get('docker') ?? 'docker', args, { env });
  const stop = async (): Promise<void> => {
    await end();
    await run('bash', [clusterSource('keeper.sh'), 'sweep', NAME]);
    await rm(work, { recursive: true, force: true });
    release();
  };
  try {
    await until(
      () =>
        docker(['version']).then(
          () => true,
          () => false,
        ),
      {
        what: 'the Docker engine answers',
        limitMs: START_MS,
        everyMs: 100,
      },
    );
    const forTestcontainers = { TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1', TESTCONTAINERS_RYUK_DISABLED: 'true' };
    return { docker, env: { DOCKER_HOST: host, ...forTestcontainers }, stop };
  } catch (error) {
    const said = await readFile(join(work, 'dockerd.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`the Docker engine did not start: ${said.trim().split('\n').slice(-5).join('\n')}`, {
      cause: error,
    });
  }
}

/** Only an engine that somebody else runs and answers for. */
async function engineOfMachine(): Promise<Engine | undefined> {
  const program = onPath('docker');
  if (program === undefined) return undefined;
  const docker: Engine['docker'] = (args) => run(program, args);
  const answers = await docker(['version', '--format', '{{.Server.Version}}']).catch(() => undefined);
  return answers === undefined ? undefined : { docker, env: {}, stop: async () => {} };
}

type Daemon = Readonly<{ programs: ReadonlyMap<string, string>; socket: string; log: string }>;

/** Resolves with what ends it. */
async function startDaemon({ programs, socket, log }: Daemon): Promise<() => Promise<void>> {
  const folders = [...new Set([...programs.values()].map((path) => dirname(path)))];
  const namespaces = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--mount-proc', '--kill-child=SIGKILL'];
  const child = spawn('unshare', [...namespaces, 'bash', join(import.meta.dirname, 'engine.sh')], {
    env: {
      ...process.env,
      PATH: [...folders, process.env['PATH'] ?? ''].join(delimiter),
      DOCKERD: programs.get('dockerd'),
      DATA: join(cacheDir(), NAME),
      SOCKET: socket,
      GROUP: cgroupOf(NAME),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const file = createWriteStream(log);
  child.stdout.pipe(file);
  child.stderr.pipe(file);
  await once(child, 'spawn');
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  return async () => {
    process.off('exit', killed);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    killed();
    await ended;
  };
}

/** Resolves, once it is our turn, to the function that ends it. */
function holdLock(file: string): Promise<() => void> {
  return new Promise((held, fail) => {
    withLock(file, silent, () => new Promise<void>((release) => held(release))).catch(fail);
  });
}

/** Whether the control groups of an engine are there. */
export const engineGroups = (): readonly string[] =>
  ['', 'memory', 'cpu', 'pids']
    .map((part) => join('/sys/fs/cgroup', part, cgroupOf(NAME)))
    .filter((path) => existsSync(path));
