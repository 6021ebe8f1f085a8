import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiagnosticsSource } from './cluster-access.ts';

const OPERATOR_NAMESPACE = 'agent-worker-pool';
const CALL_LIMIT_MS = 10_000;
const POD_LIMIT = 40;
const TAIL_BYTES = 256 * 1024;
const LAST_LINES = 20;

/** Files by name, each the output of one kubectl command. No Secret is among them. */
const VIEWS: Readonly<Record<string, readonly string[]>> = {
  'objects.txt': ['get', 'pods,deployments,replicasets,nodes', '-A', '-o', 'wide'],
  'events.txt': ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
  'pools.yaml': ['get', 'agentworkerpools', '-A', '-o', 'yaml'],
  'deployments.yaml': ['get', 'deployments', '-A', '-o', 'yaml'],
  'pods.txt': ['describe', 'pods', '-A'],
};

/**
 * Writes what the cluster shows after a failure to a new folder below the system's temporary one: objects, events, the
 * log of every pod, and the end of each component's log. Resolves to the folder and the last lines of the operator.
 */
export async function collectDiagnostics(source: DiagnosticsSource): Promise<{ folder: string; lastLines: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-worker-pool-failure-'));
  const views = Object.entries(VIEWS).map(async ([file, view]) => {
    await writeFile(join(folder, file), await kubectl(source, view));
  });
  const [lastLines] = await Promise.all([podLogs(source, folder), componentLogs(source, folder), ...views]);
  return { folder, lastLines };
}

async function podLogs(source: DiagnosticsSource, folder: string): Promise<string> {
  const names = 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}';
  const pods = (await kubectl(source, ['get', 'pods', '-A', '-o', names]))
    .split('\n')
    .filter((line) => line.includes('/'));
  await mkdir(join(folder, 'pods'));
  let lastLines = '';
  for (const pod of pods.slice(0, POD_LIMIT)) {
    const [namespace = '', name = ''] = pod.split('/');
    const options = ['logs', '-n', namespace, name, '--all-containers', '--prefix', '--tail=2000'];
    const log = await kubectl(source, options);
    await writeFile(join(folder, 'pods', `${namespace}_${name}.log`), log);
    if (namespace === OPERATOR_NAMESPACE) lastLines += `${log.trimEnd().split('\n').slice(-LAST_LINES).join('\n')}\n`;
  }
  return lastLines;
}

async function componentLogs({ logs }: DiagnosticsSource, folder: string): Promise<void> {
  if (logs === undefined) return;
  await mkdir(join(folder, 'components'));
  for (const name of await readdir(logs)) {
    await using file = await open(join(logs, name));
    const { size } = await file.stat();
    const tail = await file.read({ buffer: Buffer.alloc(TAIL_BYTES), position: Math.max(0, size - TAIL_BYTES) });
    await writeFile(join(folder, 'components', name), tail.buffer.subarray(0, tail.bytesRead));
  }
}

/** What the command printed, its complaint included: a view that cannot be had must not hide the others. */
function kubectl({ kubectl: program, kubeconfig }: DiagnosticsSource, view: readonly string[]): Promise<string> {
  const options = { timeout: CALL_LIMIT_MS, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((settle) => {
    execFile(program, ['--kubeconfig', kubeconfig, ...view], options, (error, stdout, stderr) =>
      settle(error === null ? stdout : `${stdout}${stderr}${error.message}\n`),
    );
  });
}
