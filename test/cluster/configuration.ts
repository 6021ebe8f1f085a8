import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CONTAINERD_SOCKET, RUNTIME_DIR, network } from './network.ts';
import { cgroupOf } from './paths.ts';
import type { ClusterOptions } from './state.ts';

export const PAUSE_IMAGE = 'registry.local/pause:1';

type Paths = Readonly<{ stateDir: string; programs: ReadonlyMap<string, string> }>;

const program = (paths: Paths, name: string): string => paths.programs.get(name) ?? name;

const DISABLED_PLUGINS = [
  'io.containerd.internal.v1.opt',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.nri.v1.nri',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.internal.v1.tracing',
];

/** containerd's configuration with its storage below `root`. */
export const containerdToml = (root: string, paths: Paths): string => `version = 3
root = '${root}'
state = '${RUNTIME_DIR}/containerd'
disabled_plugins = [${DISABLED_PLUGINS.map((name) => `'${name}'`).join(', ')}]
[grpc]
  address = '${CONTAINERD_SOCKET}'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '${PAUSE_IMAGE}'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['${dirname(program(paths, 'bridge'))}']
    conf_dir = '${join(paths.stateDir, 'etc', 'cni')}'
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = '${program(paths, 'runc')}'
        SystemdCgroup = false
`;

const cniConfig = {
  cniVersion: '1.0.0',
  name: 'awp-cluster',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true, // isDefaultGateway would add the route below a second time and fail
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: `${RUNTIME_DIR}/cni`,
        ranges: [[{ subnet: network.nodePodCidr, gateway: network.podGateway }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

const kubeletConfig = (name: string, stateDir: string, options: ClusterOptions) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: network.nodeAddress,
  failCgroupV1: false, // the default is to refuse machines with version 1
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroupOf(name)}`,
  failSwapOn: false,
  containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: join(stateDir, 'pki', 'ca.crt') },
  },
  authorization: { mode: 'Webhook' },
  clusterDomain: network.domain,
  clusterDNS: [network.podGateway],
  resolvConf: join(stateDir, 'etc', 'resolv.conf'),
  maxPods: 110,
  // images come from nowhere but `up`, and disk pressure of the machine is not the cluster's business
  imageMinimumGCAge: '24h',
  imageGCHighThresholdPercent: 100,
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '0%',
    'imagefs.available': '0%',
    'nodefs.inodesFree': '0%',
    'imagefs.inodesFree': '0%',
  },
  volumeStatsAggPeriod: '-1s',
  ...(options.maxContainerRestartPeriod
    ? { crashLoopBackOff: { maxContainerRestartPeriod: options.maxContainerRestartPeriod } }
    : {}),
});

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

const corefile = (stateDir: string): string => `${network.domain}:53 {
  bind ${network.podGateway}
  errors
  kubernetes ${network.domain} {
    kubeconfig ${join(stateDir, 'etc', 'admin.yaml')} embedded
    ttl 1
  }
}
.:53 {
  bind ${network.podGateway}
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;

/** Writes everything that the components read, but keys and kubeconfigs, into etc/ of the cluster's folder. */
export const writeConfiguration = async (name: string, paths: Paths, options: ClusterOptions): Promise<void> => {
  const etc = join(paths.stateDir, 'etc');
  await mkdir(join(etc, 'cni'), { recursive: true });
  const files: Record<string, string> = {
    'containerd.toml': containerdToml(join(paths.stateDir, 'containerd'), paths),
    'cni/10-bridge.conflist': JSON.stringify(cniConfig),
    'kubelet.yaml': JSON.stringify(kubeletConfig(name, paths.stateDir, options)),
    'audit-policy.yaml': JSON.stringify(auditPolicy),
    'resolv.conf': 'nameserver 127.0.0.53\n', // never asked: pods get clusterDNS
    Corefile: corefile(paths.stateDir),
  };
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(etc, file), text)));
};
