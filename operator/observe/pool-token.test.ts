import { expect, it } from 'vitest';
import { TOKEN_KEY } from '../api/names.ts';
import { NOON, samplePool } from '../core/state.fixture.ts';
import { PoolTokens } from './pool-token.ts';
import { SecretCache } from './secret-cache.ts';

const pool = samplePool();
const KEY = 'agents/agent-jobs';

/** The one call that the reader makes, and a clock; the API server itself is in the end-to-end suite. */
function tokensOf(secret: () => string | undefined) {
  const world = { now: NOON, reads: 0 };
  const get = <T>() => {
    world.reads += 1;
    const token = secret();
    const data = { [TOKEN_KEY]: Buffer.from(token ?? '').toString('base64') };
    return Promise.resolve(
      (token === undefined ? undefined : { metadata: { uid: 'u', resourceVersion: '7' }, data }) as T,
    );
  };
  const tokens = new PoolTokens(new SecretCache({ client: { get }, now: () => world.now, random: () => 0.5 }));
  return { world, tokens };
}

it('a token that was rotated is read again once a replica does not know the old one, and seldom before', async () => {
  let token = 'old';
  const { world, tokens } = tokensOf(() => token);
  await tokens.read(pool);
  token = 'new';
  world.now += 180_000;
  expect(await tokens.read(pool)).toEqual({ state: 'present', value: 'old' });
  tokens.hurry(KEY);
  expect(await tokens.read(pool)).toEqual({ state: 'present', value: 'new' });
  // However often it is not known: one reading in four seconds.
  for (let ms = 0; ms < 60_000; ms += 500) {
    tokens.hurry(KEY);
    world.now += 500;
    await tokens.read(pool);
  }
  expect(world.reads).toBeLessThanOrEqual(17);
});

it('a token that was missing is read as soon as it is made, and not before', async () => {
  let token: string | undefined;
  const { world, tokens } = tokensOf(() => token);
  expect(await tokens.read(pool)).toEqual({ state: 'missing' });
  token = 'made';
  expect(await tokens.read(pool)).toEqual({ state: 'missing' });
  tokens.forget(KEY);
  expect(await tokens.read(pool)).toEqual({ state: 'present', value: 'made' });
  expect(world.reads).toBe(2);
});
