import type { EventInput } from './event-input.ts';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { soon } from '../../test/fixtures/soon.ts';
import type { KubeClient } from './client.ts';
import { createEventRecorder, type EventRecorderOptions } from './events.ts';
import { silentLogger } from './log.ts';
import { createKubeMetrics } from './metrics.ts';

type Written = { name: string; note?: string; series?: { count: number }; version: string };
let written: Written[];
let clock: number;
let registry: Registry;
let failing: boolean;

beforeEach(() => {
  written = [];
  clock = 0;
  failing = false;
  registry = new Registry();
});

const client = {
  create: (_, body: object) => write(body),
  mergePatch: (_, body: object) => write(body),
} as Pick<KubeClient, 'create' | 'mergePatch'>;
function write<T>(body: object): Promise<T> {
  if (failing) return Promise.reject(new Error('the API server is away'));
  const event = body as { metadata: { name: string; resourceVersion?: string }; note?: string; series?: never };
  const version = String(Number(event.metadata.resourceVersion ?? 0) + 1);
  written.push({ ...event, name: event.metadata.name, version });
  return Promise.resolve({ metadata: { ...event.metadata, namespace: 'n', resourceVersion: version } } as T);
}

const recorder = (options: Partial<EventRecorderOptions> = {}) =>
  createEventRecorder({
    client,
    controller: 'example.dev/operator',
    instance: 'operator-1',
    log: silentLogger,
    metrics: createKubeMetrics(registry),
    now: () => clock,
    ...options,
  });
const event = (note: string, uid = 'u1'): EventInput => ({
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'n', name: 'p', uid },
  type: 'Normal',
  reason: 'Scaled',
  action: 'Scale',
  note,
});
const sent = (count: number) => soon(() => expect(written).toHaveLength(count));
async function counted(outcome: string): Promise<number> {
  const metric = await registry.getSingleMetric('event_recorder_events_total')?.get();
  return metric?.values.find(({ labels }) => labels.outcome === outcome)?.value ?? -1;
}

describe('an event recorder', () => {
  it('sends nothing while others need the API server more, and everything afterwards or when it stops', async () => {
    let crowded = true;
    const events = recorder({ crowded: () => crowded });
    events.record(event('3 → 5'));
    events.record(event('5 → 8', 'u2'));
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(written).toEqual([]);
    crowded = false;
    await sent(2);
    crowded = true;
    events.record(event('8 → 9', 'u3'));
    await events.stop();
    expect(written).toHaveLength(3);
  });

  it('makes one event with a count of what is said again, at most once a minute', async () => {
    const events = recorder();
    events.record(event('3 → 5'));
    await sent(1);
    events.record(event('3 → 5'));
    await sent(2);
    for (let i = 0; i < 10; i += 1) events.record(event('3 → 5'));
    clock = 61_000;
    events.record(event('3 → 5'));
    await sent(3);
    expect(written.map(({ series }) => series?.count)).toEqual([undefined, 2, 13]);
    expect(new Set(written.map(({ name }) => name)).size).toBe(1);
    expect(await counted('sent')).toBe(3);
  });

  it('makes a new event for another note, another object, and after a pause of six minutes', async () => {
    const events = recorder();
    events.record(event('3 → 5'));
    events.record(event('5 → 7'));
    events.record(event('3 → 5', 'u2'));
    await sent(3);
    clock = 361_000;
    events.record(event('3 → 5'));
    await sent(4);
    expect(new Set(written.map(({ name }) => name)).size).toBe(4);
  });

  it('lets no object flood the server, and no other object pay for it', async () => {
    const events = recorder();
    for (let i = 0; i < 100; i += 1) events.record(event(`note ${i}`));
    events.record(event('quiet', 'u2'));
    await sent(26);
    expect(await counted('throttled')).toBe(75);
    expect(written.at(-1)?.note).toBe('quiet');
    clock = 300_000;
    events.record(event('later'));
    await sent(27);
  });

  it('drops what its queue has no room for', async () => {
    const events = recorder({ queueSize: 3 });
    for (let i = 0; i < 5; i += 1) events.record(event(`note ${i}`));
    await sent(3);
    expect(await counted('dropped')).toBe(2);
  });

  it('never throws, and begins anew after a failure', async () => {
    const events = recorder();
    failing = true;
    events.record(event('3 → 5'));
    await soon(async () => expect(await counted('failed')).toBe(1));
    failing = false;
    events.record(event('3 → 5'));
    await sent(1);
    expect(written[0]?.series).toBeUndefined();
  });

  it('cuts a note at 1024 bytes, between two characters', async () => {
    const events = recorder();
    events.record(event('→'.repeat(600)));
    await sent(1);
    const note = written[0]?.note ?? '';
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
    expect(note).toMatch(/^→+…$/);
  });

  it('sends what waits before it stops, and takes nothing more', async () => {
    const events = recorder();
    events.record(event('last'));
    await events.stop();
    events.record(event('too late'));
    expect(written.map(({ note }) => note)).toEqual(['last']);
  });
});
