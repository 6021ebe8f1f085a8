import { arch } from '../paths.ts';

/** One official archive or program; the checksum stands in a file that the project publishes beside it. */
export type Download = Readonly<{ url: string; checksumUrl: string; kind: 'program' | 'tar.gz' }>;

/** How a tool is made when it is neither found nor downloaded. */
export type Make =
  | Readonly<{ by: 'go'; module: string; packages: readonly string[]; ldflags: string; takes: string }>
  | Readonly<{ by: 'debian'; suite: string; packages: readonly string[]; folders: readonly string[] }>;

/**
 * Programs that come together. `version` is part of the cache's key. Those found on PATH are taken only if all of them
 * are there and every one's answer to `ask` matches `accept`.
 */
export type Tool = Readonly<{
  name: string;
  version: string;
  programs: readonly string[];
  path?: Readonly<{ ask: (program: string) => readonly string[]; accept: RegExp }>;
  downloads: readonly Download[];
  make: Make;
}>;

const KUBERNETES = '1.36.4';
const kubePrograms = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

const versionFlag = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
const [kubeMajor = '', kubeMinor = ''] = KUBERNETES.split('.');

const github = (repository: string, release: string, file: string): string =>
  `https://github.com/${repository}/releases/download/${release}/${file}`;

const archive = (base: string, checksum: string): Download => ({ url: base, checksumUrl: checksum, kind: 'tar.gz' });

const etcdFile = `etcd-v3.5.30-linux-${arch.go}.tar.gz`;
const containerdUrl = github('containerd/containerd', 'v2.1.9', `containerd-2.1.9-linux-${arch.go}.tar.gz`);
const cniUrl = github('containernetworking/plugins', 'v1.9.1', `cni-plugins-linux-${arch.go}-v1.9.1.tgz`);
const dnsUrl = github('coredns/coredns', 'v1.15.0', `coredns_1.15.0_linux_${arch.go}.tgz`);

const kubernetes: Tool = {
  name: 'kubernetes',
  version: KUBERNETES,
  programs: kubePrograms,
  path: {
    ask: (program) => (program === 'kubectl' ? ['version', '--client'] : ['--version']),
    accept: new RegExp(`v${KUBERNETES.replaceAll('.', '\\.')}\\b`),
  },
  downloads: kubePrograms.map((program) => {
    const url = `https://dl.k8s.io/v${KUBERNETES}/bin/linux/${arch.go}/${program}`;
    return { url, checksumUrl: `${url}.sha256`, kind: 'program' as const };
  }),
  make: {
    by: 'go',
    module: '.',
    packages: kubePrograms.map((program) => `k8s.io/kubernetes/cmd/${program}`),
    ldflags: [
      '-s -w',
      versionFlag('gitVersion', `v${KUBERNETES}`),
      versionFlag('gitMajor', kubeMajor),
      versionFlag('gitMinor', kubeMinor),
    ].join(' '),
    takes: 'about 10 minutes on 2 cores, once',
  },
};

const etcd: Tool = {
  name: 'etcd',
  version: '3.5',
  programs: ['etcd'],
  path: { ask: () => ['--version'], accept: /etcd Version: 3\.[56]\./ },
  downloads: [archive(github('etcd-io/etcd', 'v3.5.30', etcdFile), github('etcd-io/etcd', 'v3.5.30', 'SHA256SUMS'))],
  // bookworm's 3.4 has no WatchList
  make: { by: 'debian', suite: 'sid', packages: ['etcd-server'], folders: ['usr/bin'] },
};

export const containerd: Tool = {
  name: 'containerd',
  version: '2.1',
  programs: ['containerd', 'containerd-shim-runc-v2', 'ctr'],
  path: { ask: (program) => [program.includes('shim') ? '-v' : '--version'], accept: /\bv?2\.[1-9]\d*\.\d+/ },
  downloads: [archive(containerdUrl, `${containerdUrl}.sha256sum`)],
  make: { by: 'debian', suite: 'sid', packages: ['containerd'], folders: ['usr/bin'] },
};

export const runc: Tool = {
  name: 'runc',
  version: '1',
  programs: ['runc'],
  path: { ask: () => ['--version'], accept: /runc version 1\.[1-9]/ },
  downloads: [
    {
      url: github('opencontainers/runc', 'v1.3.6', `runc.${arch.go}`),
      checksumUrl: github('opencontainers/runc', 'v1.3.6', 'runc.sha256sum'),
      kind: 'program',
    },
  ],
  // newer suites' runc needs a newer libc than bookworm has
  make: { by: 'debian', suite: 'bookworm', packages: ['runc'], folders: ['usr/sbin'] },
};

const cni: Tool = {
  name: 'cni',
  version: '1.9',
  programs: ['bridge', 'host-local', 'loopback', 'portmap'],
  downloads: [archive(cniUrl, `${cniUrl}.sha256`)],
  make: { by: 'debian', suite: 'sid', packages: ['containernetworking-plugins'], folders: ['usr/lib/cni'] },
};

export const nftables: Tool = {
  name: 'nftables',
  version: '1',
  programs: ['nft'],
  path: { ask: () => ['--version'], accept: /nftables v1\.(?:0\.[1-9]|[1-9])/ },
  downloads: [],
  make: {
    by: 'debian',
    suite: 'bookworm',
    packages: [
      'nftables',
      'libnftables1',
      'libnftnl11',
      'libmnl0',
      'libedit2',
      'libjansson4',
      'libbsd0',
      'libmd0',
      'libgmp10',
      'libxtables12',
      'libtinfo6',
    ],
    folders: ['usr/sbin'],
  },
};

export const busybox: Tool = {
  name: 'busybox',
  version: '1',
  programs: ['busybox'],
  downloads: [],
  make: { by: 'debian', suite: 'bookworm', packages: ['busybox-static'], folders: ['bin', 'usr/bin'] },
};

const coredns: Tool = {
  name: 'coredns',
  version: '1.15.0',
  programs: ['coredns'],
  path: { ask: () => ['-version'], accept: /CoreDNS-1\.1[4-9]\./ },
  downloads: [archive(dnsUrl, `${dnsUrl}.sha256`)],
  make: { by: 'go', module: 'coredns', packages: ['.'], ldflags: '-s -w', takes: 'about a minute' },
};

const pause: Tool = {
  name: 'pause',
  version: '1',
  programs: ['pause'],
  downloads: [],
  make: { by: 'go', module: '.', packages: ['./pause'], ldflags: '-s -w', takes: 'seconds' },
};

export const redis: Tool = {
  name: 'redis',
  version: '7',
  programs: ['redis-server'],
  path: { ask: () => ['--version'], accept: /v=(?:[7-9]|\d\d)\./ },
  downloads: [],
  make: {
    by: 'debian',
    suite: 'bookworm',
    packages: [
      'redis-server',
      'redis-tools',
      'libatomic1',
      'libcap2',
      'libgcrypt20',
      'libgpg-error0',
      'libhiredis0.14',
      'libjemalloc2',
      'liblua5.1-0',
      'liblz4-1',
      'liblzf1',
      'liblzma5',
      'libssl3',
      'libstdc++6',
      'libsystemd0',
      'libzstd1',
      'lua-bitop',
      'lua-cjson',
    ],
    folders: ['usr/bin'],
  },
};

export const prometheus: Tool = {
  name: 'prometheus',
  version: '2.42',
  programs: ['prometheus'],
  path: { ask: () => ['--version'], accept: /prometheus, version [23]\./ },
  downloads: [],
  make: { by: 'debian', suite: 'bookworm', packages: ['prometheus'], folders: ['usr/bin'] },
};

/** Everything that the embedded cluster consists of, the slow one last. */
export const clusterTools: readonly Tool[] = [
  etcd,
  containerd,
  runc,
  cni,
  nftables,
  busybox,
  redis,
  pause,
  coredns,
  kubernetes,
];
