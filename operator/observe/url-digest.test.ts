import { expect, it } from 'vitest';
import { REDIS_SECRET_ANNOTATION, REDIS_URL_ANNOTATION } from '../api/names.ts';
import { UrlMarks } from './url-digest.ts';

const markOfUrl = (facts: Parameters<UrlMarks['of']>[0]) => new UrlMarks().of(facts);
const facts = { url: 'redis://:s3cret@redis', version: 'uid/1', salt: 'pool', annotations: {} };

it('is the same for the same URL of a pool, another for each other, and tells nothing of it', async () => {
  const mark = await markOfUrl(facts);
  expect(mark).toEqual({ digest: expect.stringMatching(/^[0-9a-f]{32}$/), secretVersion: 'uid/1' });
  expect(await markOfUrl({ ...facts, version: 'uid/2' })).toEqual({ ...mark, secretVersion: 'uid/2' });
  const others = await Promise.all([
    markOfUrl({ ...facts, url: 'redis://:other@redis' }),
    markOfUrl({ ...facts, salt: 'another pool' }),
  ]);
  expect(new Set([mark, ...others].map(({ digest }) => digest)).size).toBe(3);
});

it('is what the Deployment has while the Secret is as it was: a restart of the operator works nothing out', async () => {
  const annotations = { [REDIS_URL_ANNOTATION]: 'known', [REDIS_SECRET_ANNOTATION]: 'uid/1' };
  expect(await markOfUrl({ ...facts, annotations })).toEqual({ digest: 'known', secretVersion: 'uid/1' });
  expect((await markOfUrl({ ...facts, version: 'uid/2', annotations })).digest).not.toBe('known');
});
