import { describe, expect, it } from 'vitest';
import { QueueDirectory } from './rivals.ts';

const queue = { prefix: 'bull', name: 'jobs' };

describe('pools on one queue', () => {
  it('know each other although their Secrets spell the same Redis differently', () => {
    const queues = new QueueDirectory();
    expect(queues.enter('a/one', 'redis://redis.a.svc:6379', queue)).toEqual([]);
    expect(queues.enter('b/two', 'redis://:secret@redis.a.svc/0', queue)).toEqual(['a/one']);
    expect(queues.enter('a/one', 'redis://redis.a.svc:6379', queue)).toEqual(['b/two']);
  });

  it('are strangers on another queue, prefix, database or server', () => {
    const queues = new QueueDirectory();
    queues.enter('a/one', 'redis://redis:6379', queue);
    expect(queues.enter('a/2', 'redis://redis:6379', { ...queue, name: 'other' })).toEqual([]);
    expect(queues.enter('a/3', 'redis://redis:6379', { ...queue, prefix: 'x' })).toEqual([]);
    expect(queues.enter('a/4', 'redis://redis:6379/1', queue)).toEqual([]);
    expect(queues.enter('a/5', 'redis://other:6379', queue)).toEqual([]);
  });

  it('hear when the queue is free again', () => {
    const queues = new QueueDirectory();
    queues.enter('a/one', 'redis://redis:6379', queue);
    queues.enter('a/two', 'redis://redis:6379', queue);
    expect(queues.leave('a/one')).toEqual(['a/two']);
    expect(queues.leave('a/one')).toEqual([]);
    expect(queues.enter('a/two', 'redis://redis:6379', queue)).toEqual([]);
  });

  it('leave the old queue when their Secret names another Redis', () => {
    const queues = new QueueDirectory();
    queues.enter('a/one', 'redis://redis:6379', queue);
    queues.enter('a/one', 'redis://other:6379', queue);
    expect(queues.enter('a/two', 'redis://redis:6379', queue)).toEqual([]);
  });
});
