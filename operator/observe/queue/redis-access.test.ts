import { expect, it } from 'vitest';
import { RedisAccessRegistry } from './redis-access.ts';

const newRegistry = () => new RedisAccessRegistry({ now: () => 0, onWake: () => {} });
const at = (url: string, prefix = 'bull') => ({ url, queue: { prefix, name: 'q' }, commandsPerMinute: 120 });

it('shares what two pools of one Redis use, and closes it when the last of them leaves', () => {
  const registry = newRegistry();
  registry.open('ns/a', at('redis://redis.invalid'));
  registry.open('ns/b', at('redis://redis.invalid:6379/0'));
  registry.open('ns/b', at('redis://redis.invalid:6379/0'));
  expect(registry.size).toBe(1);
  registry.release('ns/a');
  registry.release('ns/a');
  expect(registry.size).toBe(1);
  registry.release('ns/b');
  expect(registry.size).toBe(0);
});

it('leaves the old Redis when the URL of a pool changes, also to one that cannot be used', () => {
  const registry = newRegistry();
  registry.open('ns/a', at('redis://:old@redis.invalid'));
  registry.open('ns/a', at('redis://:new@redis.invalid'));
  expect(registry.size).toBe(1);
  const refused = registry.open('ns/a', at('redis://:s3cret%@redis.invalid'));
  expect(refused).toMatchObject({ ok: false, trouble: 'RedisUrlInvalid' });
  expect(JSON.stringify(refused)).not.toContain('s3cret');
  expect(registry.size).toBe(0);
});

it('closes everything at the end', () => {
  const registry = newRegistry();
  registry.open('ns/a', at('redis://one.invalid'));
  registry.open('ns/b', at('redis://two.invalid'));
  expect(registry.size).toBe(2);
  registry.close();
  expect(registry.size).toBe(0);
});

it('connects nothing and knows of no trouble before the first use', () => {
  const registry = newRegistry();
  const redis = registry.open('ns/a', at('redis://redis.invalid'));
  expect(redis.ok && redis.lastUse()).toBeUndefined();
  registry.close();
});

it('keeps the queues of each hash tag apart, so that a Redis Cluster finds all that one command names in one slot', () => {
  const registry = newRegistry();
  registry.open('ns/a', at('redis://redis.invalid', '{one}'));
  registry.open('ns/b', at('redis://redis.invalid', '{one}'));
  registry.open('ns/c', at('redis://redis.invalid', '{two}'));
  registry.open('ns/d', at('redis://redis.invalid'));
  expect(registry.size).toBe(3);
  registry.close();
});

it('waits no longer for events of the queue that a pool had before', () => {
  const registry = newRegistry();
  const opened = registry.open('ns/a', at('redis://redis.invalid'));
  if (!opened.ok) throw new Error(opened.because);
  opened.watch('0-0', 'instant');
  expect(opened.isWatching()).toBe(true);
  const same = registry.open('ns/a', at('redis://redis.invalid'));
  expect(same.ok && same.isWatching()).toBe(true);
  const other = registry.open('ns/a', at('redis://redis.invalid', 'other'));
  expect(other.ok && other.isWatching()).toBe(false);
  registry.close();
});
