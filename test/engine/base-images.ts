import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { acquireAll } from '../cluster/binaries/acquire.ts';
import { busybox, redis } from '../cluster/binaries/catalog.ts';
import { onPath } from '../cluster/exec.ts';
import { nodeEntries, redisEntries, runtimeEntries, systemEntries } from '../cluster/images/catalog.ts';
import { type LayerEntry, makeLayer } from '../cluster/images/layer.ts';
import { silent } from '../cluster/progress.ts';
import type { Engine } from './engine.ts';
import { npmCache } from './npm-cache.ts';

/** What the Dockerfile is built on here, instead of images from a registry. */
export const LOCAL = {
  build: 'registry.local/agent-worker-pool/build-base:dev',
  runtime: 'registry.local/agent-worker-pool/runtime-base:dev',
  redis: 'registry.local/redis:container',
} as const;

const NPM = '/usr/lib/node_modules/npm';
const CACHE = '/npm-cache';

const PATH = 'ENV PATH=/usr/bin:/bin';

/** The npm of this machine, with everything that it consists of. */
async function npmEntries(): Promise<readonly LayerEntry[]> {
  const program = onPath('npm');
  if (program === undefined) throw new Error('npm is not on PATH');
  const home = dirname(dirname(await realpath(program)));
  const files = await readdir(home, { recursive: true, withFileTypes: true });
  const entries = files
    .filter((entry) => entry.isFile() && !/\/(?:docs|man)(?:\/|$)/.test(relative(home, entry.parentPath)))
    .map(async (entry) => {
      const file = join(entry.parentPath, entry.name);
      return { path: join(NPM, relative(home, file)), copy: file, mode: (await stat(file)).mode & 0o777 };
    });
  return [...(await Promise.all(entries)), { path: '/usr/bin/npm', link: `${NPM}/bin/npm-cli.js` }];
}

type Recipe = Readonly<{ ref: string; entries: readonly LayerEntry[]; changes: readonly string[] }>;

async function importImage({ docker }: Engine, { ref, entries, changes }: Recipe): Promise<void> {
  const layer = await makeLayer(entries);
  const label = `LABEL layer=${layer.digest}`;
  const have = await docker(['image', 'inspect', '--format', '{{index .Config.Labels "layer"}}', ref]).catch(() => '');
  if (have.trim() === layer.digest) return;
  await docker(['import', ...[label, ...changes].flatMap((change) => ['--change', change]), layer.file, ref]);
}

/** Node without a shell, as distroless has it, and Node with npm and all that the lockfile names. */
export async function importBases(engine: Engine): Promise<void> {
  const programs = await acquireAll([busybox], silent);
  const node = await nodeEntries();
  const cache = await npmCache(CACHE);
  await importImage(engine, {
    ref: LOCAL.runtime,
    entries: [...runtimeEntries(), ...node, { path: '/nodejs/bin/node', link: '/usr/bin/node' }],
    changes: ['ENTRYPOINT ["/nodejs/bin/node"]', 'USER 65532', 'WORKDIR /home/nonroot'],
  });
  await importImage(engine, {
    ref: LOCAL.build,
    entries: [
      ...(await systemEntries(programs)),
      ...node,
      ...(await npmEntries()),
      { path: '/usr/bin/env', link: '/bin/busybox' },
      ...cache.entries,
    ],
    changes: [
      PATH,
      `ENV npm_config_cache=${CACHE}`,
      'ENV npm_config_offline=true',
      `ENV npm_config_registry=${cache.registry}`,
    ],
  });
}

/** A Redis like the one that testcontainers would get from a registry. */
export async function importRedis(engine: Engine): Promise<void> {
  const programs = await acquireAll([redis], silent);
  await importImage(engine, {
    ref: LOCAL.redis,
    entries: [...runtimeEntries(), ...(await redisEntries(programs))],
    changes: [PATH, 'WORKDIR /data'],
  });
}
