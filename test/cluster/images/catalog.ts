import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { unwrap } from '../binaries/wrapper.ts';
import type { Programs } from '../binaries/acquire.ts';
import { PAUSE_IMAGE } from '../configuration.ts';
import { run } from '../exec.ts';
import { arch } from '../paths.ts';
import { makeArchive } from './archive.ts';
import type { Archive } from './archive.ts';
import { makeLayer } from './layer.ts';
import type { Layer, LayerEntry } from './layer.ts';

export const images = {
  base: 'registry.local/agent-worker-pool/base:dev',
  operator: 'registry.local/agent-worker-pool/operator:dev',
  worker: 'registry.local/agent-worker-pool/worker:dev',
  redis: 'registry.local/redis:dev',
  pause: PAUSE_IMAGE,
} as const;

const USER = '65532:65532';
const ENV = ['PATH=/usr/bin:/bin', 'HOME=/tmp', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** The libraries that the loader would give a program, and the loader itself, from the output of ldd. */
export const librariesIn = (ldd: string): Readonly<{ libraries: string[]; loader: string | undefined }> => {
  const lines = ldd.split('\n').map((line) => line.trim());
  return {
    libraries: lines.flatMap((line) => /=> (\/\S+) \(0x/.exec(line)?.[1] ?? []),
    loader: lines.map((line) => /^(\/\S+) \(0x/.exec(line)?.[1]).find((path) => path !== undefined),
  };
};

const withLibraries = async (path: string, target: string): Promise<LayerEntry[]> => {
  const { program, libraryPath } = unwrap(path);
  const env = { ...process.env, LC_ALL: 'C', ...(libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {}) };
  const listed = await run('ldd', [program], { env }).catch((error: Error) => {
    if (error.message.includes('not a dynamic executable')) return '';
    throw error;
  });
  const { libraries, loader } = librariesIn(listed);
  return [
    { path: target, copy: program, mode: 0o755 },
    ...(loader ? [{ path: loader, copy: loader, mode: 0o755 }] : []),
    ...libraries.map((file) => ({ path: join('/lib', arch.multiarch, basename(file)), copy: file, mode: 0o755 })),
  ];
};

/** What every image has: users, a folder for temporary files, and certificates. */
export const runtimeEntries = (): LayerEntry[] => [
  { path: '/etc/passwd', text: 'root:x:0:0:root:/:/bin/sh\napp:x:65532:65532:app:/tmp:/bin/sh\n' },
  { path: '/etc/group', text: 'root:x:0:\napp:x:65532:\n' },
  { path: '/etc/nsswitch.conf', text: 'hosts: files dns\n' },
  { path: '/tmp', folder: true, mode: 0o1777 },
  { path: '/data', folder: true, mode: 0o1777 },
  { path: '/app', folder: true },
  ...(existsSync(CERTIFICATES) ? [{ path: CERTIFICATES, copy: CERTIFICATES }] : []),
];

/** The same with a shell, for whoever looks inside. */
export const systemEntries = async (programs: Programs): Promise<LayerEntry[]> => {
  const busybox = programs.get('busybox') ?? 'busybox';
  const applets = (await run(busybox, ['--list'])).split('\n').filter((name) => /^\w/.test(name) && name !== 'busybox');
  return [
    ...runtimeEntries(),
    { path: '/bin/busybox', copy: busybox, mode: 0o755 },
    ...applets.map((name) => ({ path: `/bin/${name}`, link: 'busybox' })),
  ];
};

const nodeProgram = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');

/** Node, at /usr/bin/node, with its libraries. */
export const nodeEntries = (): Promise<LayerEntry[]> => withLibraries(nodeProgram(), '/usr/bin/node');

/** Redis, at /usr/bin/redis-server, with its libraries. */
export const redisEntries = (programs: Programs): Promise<LayerEntry[]> =>
  withLibraries(programs.get('redis-server') ?? '', '/usr/bin/redis-server');

export type BaseLayers = Readonly<{ system: Layer; node: Layer }>;

export const baseLayers = async (programs: Programs): Promise<BaseLayers> => ({
  system: await makeLayer(await systemEntries(programs)),
  node: await makeLayer(await nodeEntries()),
});

/** The images that change only with the toolchain. A cluster starts with them. */
export const standingImages = async (programs: Programs, base: BaseLayers): Promise<Archive[]> => {
  const pause = await makeLayer([{ path: '/pause', copy: programs.get('pause') ?? 'pause', mode: 0o755 }]);
  const redis = await makeLayer(await redisEntries(programs));
  return [
    await makeArchive({ ref: images.pause, layers: [pause], shared: 0, config: { Entrypoint: ['/pause'] } }),
    await makeArchive({
      ref: images.base,
      layers: [base.system, base.node],
      shared: 0,
      config: { Entrypoint: ['/usr/bin/node'], User: USER, Env: ENV },
    }),
    await makeArchive({
      ref: images.redis,
      layers: [base.system, redis],
      shared: 0,
      config: { Entrypoint: ['/usr/bin/redis-server'], User: USER, WorkingDir: '/data', Env: ENV },
    }),
  ];
};

/** The image that runs the first of some bundled files with node. Its archive holds them alone: the base has the rest. */
export const appImage = async (
  ref: string,
  { files, base }: Readonly<{ files: readonly string[]; base: BaseLayers }>,
): Promise<Archive> => {
  const entries = files.map((file) => ({ path: `/app/${basename(file)}`, copy: file }));
  const layer = await makeLayer(entries);
  return makeArchive({
    ref,
    layers: [base.system, base.node, layer],
    shared: 2,
    config: { Entrypoint: ['/usr/bin/node'], Cmd: [entries[0]?.path ?? ''], User: USER, WorkingDir: '/app', Env: ENV },
  });
};
