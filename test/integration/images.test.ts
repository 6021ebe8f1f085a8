import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ToolUnavailable } from '../cluster/binaries/acquire.ts';
import { CannotRunHere } from '../cluster/host.ts';
import { importRedis, LOCAL } from '../engine/base-images.ts';
import { type Built, buildImages } from '../engine/build.ts';
import { type Engine, engineGroups, startEngine } from '../engine/engine.ts';
import { scanForSecrets } from '../engine/secrets.ts';
import { refusal } from '../fixtures/programs.ts';

const MEBIBYTE = 1024 * 1024;

let engine: Engine | undefined;
let whyNot = '';
let built: Built;

beforeAll(async () => {
  try {
    engine = await startEngine();
  } catch (error) {
    if (!(error instanceof CannotRunHere || error instanceof ToolUnavailable)) throw error;
    whyNot = `there is no Docker engine: ${error.message}`;
    return;
  }
  built = await buildImages(engine);
}, 400_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await engine?.stop();
  expect(engineGroups()).toEqual([]);
});
beforeEach((ctx) => {
  if (engine === undefined) ctx.skip(whyNot);
});

const docker = (...args: string[]): Promise<string> => engine?.docker(args) ?? Promise.reject(new Error(whyNot));

type Inspected = Readonly<{
  Size: number;
  RootFS: Readonly<{ Layers: readonly string[] }>;
  Config: Readonly<{ User: string; Labels: Readonly<Record<string, string>>; Env: readonly string[] }>;
}>;

const inspect = async (image: string): Promise<Inspected> => {
  const [found] = JSON.parse(await docker('image', 'inspect', image)) as readonly Inspected[];
  if (!found) throw new Error(`there is no ${image}`);
  return found;
};

/** As a cluster would run them: no network is needed to say what is missing, no right, and no file is written. */
const RESTRICTED = ['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];

describe.for(['operator', 'worker'] as const)('the image of the %s', (target) => {
  it('is small, of which ours is the least part, runs as nobody, and says what it is', async () => {
    const [image, base] = [await inspect(built[target]), await inspect(LOCAL.runtime)];
    expect(image.Size).toBeLessThan(250 * MEBIBYTE);
    expect(image.Size - base.Size).toBeLessThan(25 * MEBIBYTE);
    expect(image.Config.User).toBe('65532:65532');
    expect(image.Config.Labels).toMatchObject({
      'org.opencontainers.image.title': `agent-worker-pool ${target}`,
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it('starts without a right, and names every variable that is missing', async () => {
    const said = await refusal(docker('run', '--rm', ...RESTRICTED, built[target]));
    expect(said).toMatch(target === 'operator' ? /POD_NAME: is required/ : /REDIS_URL is missing/);
  });

  it('has only what it needs, with the list of its parts', async () => {
    const list = `console.log(require('fs').readdirSync('/app').join())`;
    const files = (await docker('run', '--rm', ...RESTRICTED, built[target], '--eval', list)).trim().split(',');
    const threads = target === 'operator' ? ['lease-thread.mjs', 'operator.mjs'] : ['worker.mjs'];
    expect(files.toSorted()).toEqual(['THIRD-PARTY-LICENSES.txt', ...threads, 'sbom.cdx.json'].toSorted());
    const read = `console.log(require('fs').readFileSync('/app/sbom.cdx.json', 'utf8'))`;
    const sbom = JSON.parse(await docker('run', '--rm', ...RESTRICTED, built[target], '--eval', read)) as {
      components: readonly { name: string; licenses: readonly { expression: string }[] }[];
    };
    const names = sbom.components.map(({ name }) => name);
    expect(names).toContain(target === 'operator' ? '@kubernetes/client-node' : 'bullmq');
    expect(names).not.toContain('vitest');
    expect(sbom.components.filter(({ licenses }) => licenses[0]?.expression === 'NOASSERTION')).toEqual([]);
  });

  it('has no secret in any of its layers', async () => {
    expect(engine && (await scanForSecrets(engine, built[target]))).toEqual([]);
  });
});

it('a secret in a layer is found, even when a later layer deletes it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'awp-leak-'));
  const fake = `AKIA${'Q'.repeat(16)}`; // of the right shape, and nobody's
  const leak = 'registry.local/agent-worker-pool/leak:test';
  try {
    await writeFile(join(folder, '.env'), `KEY=${fake}\n`);
    const remove = `require('fs').rmSync('/data/.env')`;
    await writeFile(
      join(folder, 'Dockerfile'),
      `FROM ${LOCAL.runtime}\nUSER 0\nCOPY .env /data/.env\nRUN ["/nodejs/bin/node", "--eval", ${JSON.stringify(remove)}]\n`,
    );
    await docker('build', '--quiet', '--network', 'none', '--provenance', 'false', '--tag', leak, folder);
    const findings = (engine && (await scanForSecrets(engine, leak))) ?? [];
    expect(findings.join('\n')).toContain('a cloud access key');
    expect(findings.join('\n')).toContain('data/.env has no place in an image');
    expect(findings.join('\n')).not.toContain(fake);
  } finally {
    await docker('image', 'rm', '--force', leak);
    await rm(folder, { recursive: true, force: true });
  }
});

it('the same source gives the same bundle, twice', async () => {
  const hash = `console.log(require('crypto').createHash('sha256').update(require('fs').readFileSync('/app/operator.mjs')).digest('hex'))`;
  const first = await docker('run', '--rm', ...RESTRICTED, built.operator, '--eval', hash);
  const twice = built.operator.replace(/:.*$/, ':twice');
  const bases = ['--build-arg', `BUILD_IMAGE=${LOCAL.build}`, '--build-arg', `RUNTIME_IMAGE=${LOCAL.runtime}`];
  const offline = ['--quiet', '--network', 'none', '--provenance', 'false', '--no-cache-filter', 'build'];
  await docker('build', ...offline, ...bases, '--target', 'operator', '--tag', twice, '.');
  expect(await docker('run', '--rm', ...RESTRICTED, twice, '--eval', hash)).toBe(first);
  await docker('image', 'rm', '--force', twice);
}, 240_000);

it('Redis runs by testcontainers, from an image that is made here, and takes what tests do to it', async () => {
  if (engine === undefined) throw new Error(whyNot);
  await importRedis(engine);
  for (const [name, value] of Object.entries(engine.env)) vi.stubEnv(name, value);
  const { startContainer } = await import('../fixtures/redis-container.ts');
  const { Redis } = await import('ioredis');
  const server = await startContainer({ appendonly: true, image: LOCAL.redis });
  const client = new Redis(server.url, { retryStrategy: () => 50, commandTimeout: 2_000, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  try {
    await client.set('key', 'kept');
    await server.kill();
    await server.restart();
    expect(await client.get('key')).toBe('kept');
    await server.pause();
    await expect(client.get('key')).rejects.toThrow('timed out');
    await server.resume();
    expect(await client.get('key')).toBe('kept');
  } finally {
    client.disconnect();
    await server.stop();
  }
  expect((await docker('ps', '--all', '--quiet')).trim()).toBe('');
});
