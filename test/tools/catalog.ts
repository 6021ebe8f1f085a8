import type { Download, Tool } from '../cluster/binaries/catalog.ts';
import { arch } from '../cluster/paths.ts';

const HELM = '4.3.1';
const ACTIONLINT = '1.7.12';
const MODULE = '../tools';

const helmUrl = `https://get.helm.sh/helm-v${HELM}-linux-${arch.go}.tar.gz`;

const actionlintFolder = `https://github.com/rhysd/actionlint/releases/download/v${ACTIONLINT}`;

const archive = (url: string, checksumUrl: string): Download => ({ url, checksumUrl, kind: 'tar.gz' });

export const helm: Tool = {
  name: 'helm',
  version: HELM,
  programs: ['helm'],
  path: { ask: () => ['version', '--short'], accept: /^v4\.(?:[3-9]|\d\d)\b/ },
  downloads: [archive(helmUrl, `${helmUrl}.sha256sum`)],
  make: {
    by: 'go',
    module: MODULE,
    packages: ['helm.sh/helm/v4/cmd/helm'],
    ldflags: `-s -w -X helm.sh/helm/v4/internal/version.version=v${HELM}`,
    takes: 'about 4 minutes on 2 cores, once',
  },
};

export const helmUnittest: Tool = {
  name: 'helm-unittest',
  version: '1.1.2',
  programs: ['helm-unittest'],
  downloads: [],
  make: {
    by: 'go',
    module: MODULE,
    packages: ['github.com/helm-unittest/helm-unittest/cmd/helm-unittest'],
    ldflags: '-s -w',
    takes: 'about a minute',
  },
};

/** Argo CD's interpreter is of Lua 5.1. */
export const lua: Tool = {
  name: 'lua',
  version: '5.1',
  programs: ['lua5.1'],
  path: { ask: () => ['-v'], accept: /^/ },
  downloads: [],
  make: { by: 'debian', suite: 'bookworm', packages: ['lua5.1', 'libreadline8', 'libtinfo6'], folders: ['usr/bin'] },
};

/** Debian's engine, whose containerd and runc are those of the embedded cluster. Bookworm's is too old for its builder. */
export const docker: Tool = {
  name: 'docker',
  version: '28',
  programs: ['dockerd', 'docker', 'docker-buildx'],
  downloads: [],
  make: {
    by: 'debian',
    suite: 'sid',
    packages: ['docker.io', 'docker-cli', 'docker-buildx'],
    folders: ['usr/sbin', 'usr/bin', 'usr/libexec/docker/cli-plugins'],
  },
};

export const actionlint: Tool = {
  name: 'actionlint',
  version: ACTIONLINT,
  programs: ['actionlint'],
  path: { ask: () => ['-version'], accept: /^1\.[7-9]\./ },
  downloads: [
    archive(
      `${actionlintFolder}/actionlint_${ACTIONLINT}_linux_${arch.go}.tar.gz`,
      `${actionlintFolder}/actionlint_${ACTIONLINT}_checksums.txt`,
    ),
  ],
  make: {
    by: 'go',
    module: MODULE,
    packages: ['github.com/rhysd/actionlint/cmd/actionlint'],
    ldflags: '-s -w',
    takes: 'seconds',
  },
};

const POSTGRES_LIBRARIES = [
  'libaudit1',
  'libc-ares2',
  'libcap2',
  'libcap-ng0',
  'libcom-err2',
  'libevent-2.1-7',
  'libffi8',
  'libgcrypt20',
  'libgmp10',
  'libgnutls30',
  'libgpg-error0',
  'libgssapi-krb5-2',
  'libhogweed6',
  'libicu72',
  'libidn2-0',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libldap-2.5-0',
  'liblz4-1',
  'liblzma5',
  'libnettle8',
  'libp11-kit0',
  'libpam0g',
  'libpq5',
  'libsasl2-2',
  'libssl3',
  'libstdc++6',
  'libsystemd0',
  'libtasn1-6',
  'libunistring2',
  'libxml2',
  'libzstd1',
];

/** Debian's Postgres with a pooler before it. Its programs find what lies beside them, so they can lie anywhere. */
export const postgres: Tool = {
  name: 'postgres',
  version: '15',
  programs: ['pgbouncer', 'initdb', 'postgres'],
  downloads: [],
  make: {
    by: 'debian',
    suite: 'bookworm',
    packages: ['postgresql-15', 'pgbouncer', ...POSTGRES_LIBRARIES],
    folders: ['usr/lib/postgresql/15/bin', 'usr/sbin'],
  },
};
