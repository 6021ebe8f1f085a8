import { parseArgs } from 'node:util';
import { ToolUnavailable } from './binaries/acquire.ts';
import { ClusterError, clusterDown, clusterUp, reachCluster } from './cluster.ts';
import { CannotRunHere } from './host.ts';
import { imagesIn } from './images/import.ts';
import { updateImages } from './images/project.ts';
import { leftovers, listed } from './leftovers.ts';
import { onStderr } from './progress.ts';
import { findCluster } from './state.ts';
import type { ClusterHandle, ClusterOptions } from './state.ts';

const USAGE = `npm run cluster -- COMMAND [--name NAME]

  up           start a real Kubernetes of one node, without Docker; returns when the node is Ready
                 --max-container-restart-period 2s   restart crashed containers that soon, again and again
                 --etcd-compaction-interval 10s      let old watches end with 410
                 --audit                             write every request to logs/audit.log
  down         end it; nothing of it stays but its logs
  status       tell whether it is up, and what it has
  kubeconfig   print the path of a kubeconfig for this machine (--inside: for its network namespace)
  images       build operator and worker from the source and import what changed`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const running = async (name: string): Promise<ClusterHandle> => {
  const handle = await reachCluster(name);
  if (!handle) throw new ClusterError(`cluster "${name}" is not up: npm run cluster -- up --name ${name}`);
  return handle;
};

const describe = (handle: ClusterHandle): void => {
  print(`cluster "${handle.name}" is up`);
  print(`  ${handle.kubectl} --kubeconfig ${handle.kubeconfigOutside} get pods -A`);
  print(`  inside:  nsenter -t ${handle.initPid} -n env KUBECONFIG=${handle.kubeconfigInside} COMMAND`);
  print(`  logs:    ${handle.stateDir}/logs`);
};

const status = async (name: string): Promise<number> => {
  const handle = findCluster(name);
  if (handle) {
    describe(handle);
    print(`  images:  ${[...(await imagesIn(handle)).keys()].filter((ref) => !ref.includes('sha256:')).join(' ')}`);
    return 0;
  }
  print(`cluster "${name}" is not up`);
  for (const line of listed(await leftovers(name))) print(`  left over: ${line} (npm run cluster -- down)`);
  return 3;
};

const parse = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'default' },
      inside: { type: 'boolean', default: false },
      audit: { type: 'boolean', default: false },
      'max-container-restart-period': { type: 'string' },
      'etcd-compaction-interval': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });

type Values = ReturnType<typeof parse>['values'];

const optionsOf = (values: Values): ClusterOptions => ({
  ...(values['max-container-restart-period']
    ? { maxContainerRestartPeriod: values['max-container-restart-period'] }
    : {}),
  ...(values['etcd-compaction-interval'] ? { etcdCompactionInterval: values['etcd-compaction-interval'] } : {}),
  ...(values.audit ? { audit: true } : {}),
});

const execute = async (command: string | undefined, values: Values): Promise<number> => {
  const { name } = values;
  const progress = onStderr();
  switch (command) {
    case 'up':
      describe(await clusterUp({ name, progress, options: optionsOf(values) }));
      return 0;
    case 'down':
      await clusterDown(name, progress);
      progress(`cluster "${name}" is down`);
      return 0;
    case 'status':
      return status(name);
    case 'kubeconfig': {
      const handle = await running(name);
      print(values.inside ? handle.kubeconfigInside : handle.kubeconfigOutside);
      return 0;
    }
    case 'images': {
      const imported = await updateImages(await running(name), progress);
      progress(imported.length > 0 ? `imported ${imported.join(', ')}` : 'all images are up to date');
      return 0;
    }
    default:
      process.stderr.write(`${USAGE}\n`);
      return values.help ? 0 : 2;
  }
};

process.stdout.on('error', () => {}); // whoever reads may stop early, as `head` does

const expected = [ClusterError, CannotRunHere, ToolUnavailable, RangeError];

try {
  const { positionals, values } = parse();
  process.exitCode = await execute(values.help ? undefined : positionals[0], values);
} catch (error) {
  const known = expected.some((kind) => error instanceof kind);
  const unknownOption = error instanceof TypeError && 'code' in error;
  process.stderr.write(`${known || unknownOption ? (error as Error).message : ((error as Error).stack ?? '')}\n`);
  process.exitCode = unknownOption ? 2 : 1;
}
