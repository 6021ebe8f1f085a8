import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './exec.ts';
import { network } from './network.ts';
import { stateDirOf } from './paths.ts';
import { MARKER } from './processes.ts';
import { stateOfRunning } from './state.ts';
import type { ClusterHandle, ClusterOptions, ClusterState, ComponentName } from './state.ts';

type Context = Readonly<{ dir: string; options: ClusterOptions }>;

const LOOPBACK = '--bind-address=127.0.0.1';
const ETCD = 'http://127.0.0.1:2379';
const ETCD_PEER = 'http://127.0.0.1:2380';

const etcd = ({ dir }: Context): string[] => [
  'etcd',
  '--data-dir',
  join(dir, 'etcd', 'data'),
  '--unsafe-no-fsync',
  '--log-level',
  'warn',
  '--listen-client-urls',
  ETCD,
  '--advertise-client-urls',
  ETCD,
  '--listen-peer-urls',
  ETCD_PEER,
  '--initial-advertise-peer-urls',
  ETCD_PEER,
  '--initial-cluster',
  `default=${ETCD_PEER}`,
];

const apiserver = ({ dir, options }: Context): string[] => {
  const pki = (name: string) => join(dir, 'pki', name);
  return [
    'kube-apiserver',
    `--etcd-servers=${ETCD}`,
    ...(options.etcdCompactionInterval ? [`--etcd-compaction-interval=${options.etcdCompactionInterval}`] : []),
    '--bind-address=0.0.0.0',
    `--secure-port=${network.apiPort}`,
    `--advertise-address=${network.nodeAddress}`,
    `--service-cluster-ip-range=${network.serviceCidr}`,
    '--authorization-mode=Node,RBAC',
    `--client-ca-file=${pki('ca.crt')}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--kubelet-client-certificate=${pki('admin.crt')}`,
    `--kubelet-client-key=${pki('admin.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    `--requestheader-client-ca-file=${pki('ca.crt')}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--enable-aggregator-routing=true',
    '--allow-privileged=true',
    '--profiling=false',
    `--cert-dir=${join(dir, 'varlib', 'apiserver')}`,
    ...(options.audit
      ? [
          `--audit-policy-file=${join(dir, 'etc', 'audit-policy.yaml')}`,
          `--audit-log-path=${join(dir, 'logs', 'audit.log')}`,
        ]
      : []),
  ];
};

const controllerManager = ({ dir }: Context): string[] => {
  const pki = (name: string) => join(dir, 'pki', name);
  return [
    'kube-controller-manager',
    `--kubeconfig=${join(dir, 'etc', 'admin.yaml')}`,
    '--leader-elect=false',
    `--service-account-private-key-file=${pki('sa.key')}`,
    `--root-ca-file=${pki('ca.crt')}`,
    `--cluster-signing-cert-file=${pki('ca.crt')}`,
    `--cluster-signing-key-file=${pki('ca.key')}`,
    `--cluster-cidr=${network.podCidr}`,
    '--allocate-node-cidrs=false',
    '--profiling=false',
    LOOPBACK,
  ];
};

const scheduler = ({ dir }: Context): string[] => [
  'kube-scheduler',
  `--kubeconfig=${join(dir, 'etc', 'admin.yaml')}`,
  '--leader-elect=false',
  '--profiling=false',
  LOOPBACK,
];

const kubelet = ({ dir }: Context): string[] => [
  'kubelet',
  `--kubeconfig=${join(dir, 'etc', 'kubelet-user.yaml')}`,
  `--config=${join(dir, 'etc', 'kubelet.yaml')}`,
  `--hostname-override=${network.nodeName}`,
  `--node-ip=${network.nodeAddress}`,
  `--cert-dir=${join(dir, 'varlib', 'kubelet-pki')}`,
];

const proxy = ({ dir }: Context): string[] => [
  'kube-proxy',
  `--kubeconfig=${join(dir, 'etc', 'proxy-user.yaml')}`,
  `--hostname-override=${network.nodeName}`,
  '--proxy-mode=nftables',
  `--cluster-cidr=${network.podCidr}`,
  // limits of connection tracking belong to the machine and are left alone
  '--conntrack-max-per-core=0',
  '--conntrack-tcp-timeout-established=0s',
  '--conntrack-tcp-timeout-close-wait=0s',
  '--oom-score-adj=0',
  '--healthz-bind-address=127.0.0.1:10256',
];

const commands: Readonly<Record<ComponentName, (context: Context) => string[]>> = {
  etcd,
  containerd: ({ dir }) => ['containerd', '-c', join(dir, 'etc', 'containerd.toml'), '--log-level', 'warn'],
  apiserver,
  'controller-manager': controllerManager,
  scheduler,
  kubelet,
  proxy,
  dns: ({ dir }) => ['coredns', '-conf', join(dir, 'etc', 'Corefile')],
};

/** The arguments of one component's process, its program's name first. */
export const commandOf = (name: ComponentName, dir: string, options: ClusterOptions): string[] => [
  ...commands[name]({ dir, options }),
  ...(options.flags?.[name] ?? []),
];

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** The environment of everything in the cluster. */
export const environmentOf = (state: Pick<ClusterState, 'name' | 'programs'>): NodeJS.ProcessEnv => {
  const folders = new Set(Object.values(state.programs).map((path) => dirname(path)));
  return {
    [MARKER]: stateDirOf(state.name),
    PATH: [...folders, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':'),
    HOME: '/root',
    LC_ALL: 'C',
  };
};

const inNamespaces = (state: ClusterState, argv: readonly string[]): Promise<string> =>
  run('nsenter', ['-t', String(state.init.pid), '-m', '-u', '-i', '-n', '-p', ...argv], {
    env: environmentOf(state),
    cwd: '/',
  });

const pidFile = (dir: string, name: ComponentName): string => join(dir, 'run', `${name}.pid`);

/** Starts a component's process below the cluster's first one. The number in its pid file is one of the namespace. */
export const startIn = async (state: ClusterState, name: ComponentName): Promise<void> => {
  const dir = stateDirOf(state.name);
  const [program = '', ...args] = commandOf(name, dir, state.options);
  const argv = [state.programs[program] ?? program, ...args].map(quote).join(' ');
  const log = quote(join(dir, 'logs', `${name}.log`));
  const script = `setsid ${argv} >>${log} 2>&1 </dev/null & echo $! > ${quote(pidFile(dir, name))}`;
  await mkdir(join(dir, 'run'), { recursive: true });
  await writeFile(join(dir, 'run', `${name}.sh`), script);
  await inNamespaces(state, ['sh', join(dir, 'run', `${name}.sh`)]);
};

/** Sends a component's process a signal, SIGKILL if none is named. Throws if it does not run. */
export const killComponent = async (
  handle: ClusterHandle,
  name: ComponentName,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> => {
  const state = stateOfRunning(handle.name);
  const pid = (await readFile(pidFile(handle.stateDir, name), 'utf8')).trim();
  await inNamespaces(state, ['sh', '-c', `kill -${signal.replace(/^SIG/, '')} ${pid}`]);
  if (signal !== 'SIGKILL') return;
  await inNamespaces(state, ['sh', '-c', `while kill -0 ${pid} 2>/dev/null; do sleep 0.02; done`]);
  await rm(pidFile(handle.stateDir, name), { force: true });
};

/** Starts a component that was killed, with the same arguments, and more if they are given. Does not wait until it is ready. */
export const startComponent = async (
  handle: ClusterHandle,
  name: ComponentName,
  more: readonly string[] = [],
): Promise<void> => {
  const state = stateOfRunning(handle.name);
  const flags = { ...state.options.flags, [name]: [...(state.options.flags?.[name] ?? []), ...more] };
  await startIn({ ...state, options: { ...state.options, flags } }, name);
};

/** The command that runs `argv` in the cluster's network, and outside of its other namespaces. */
export const insideCommand = (
  handle: ClusterHandle,
  argv: readonly string[],
): Readonly<{ command: string; args: string[] }> => ({
  command: 'nsenter',
  args: ['-t', String(handle.initPid), '-n', ...argv],
});

/** Runs a program among the cluster's own processes (ctr, nft) to its end and returns what it wrote. */
export const runInside = (handle: ClusterHandle, argv: readonly string[]): Promise<string> => {
  const state = stateOfRunning(handle.name);
  const [program = '', ...args] = argv;
  return inNamespaces(state, [state.programs[program] ?? program, ...args]);
};
