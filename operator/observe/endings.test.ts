import { expect, it } from 'vitest';
import { Endings } from './endings.ts';
import { projectPod } from './pods.ts';

const exit = (second: number, message = '{"handedBack":2,"lost":1}') => ({
  terminated: { exitCode: 0, finishedAt: `2026-01-05T12:00:0${second}Z`, message },
});

const podWith = (container: object, metadata: object = {}) =>
  projectPod({
    metadata: {
      namespace: 'agents',
      name: 'pod-0',
      uid: 'u1',
      labels: { 'agentpool.dev/pool': 'jobs', 'pod-template-hash': 'abc' },
      ...metadata,
    },
    spec: { containers: [{ name: 'worker' }] },
    status: {
      containerStatuses: [
        { name: 'sidecar', state: exit(9) },
        { name: 'worker', ...container },
      ],
    },
  });
const running = podWith({ state: { running: {} } });
const told = { deletionTimestamp: '2026-01-05T12:15:15Z', deletionGracePeriodSeconds: 915 };
const gone = podWith({ state: exit(5) }, told);

function endings() {
  let now = 0;
  const all = new Endings({ now: () => now });
  return { all, later: (ms: number) => (now += ms) };
}

it('keeps the last words of a worker after its pod is gone, for some minutes', () => {
  const { all, later } = endings();
  all.note({ previous: running, current: gone });
  all.note({ previous: gone });
  const at = Date.parse('2026-01-05T12:00:05Z');
  expect(all.of('agents/jobs')).toEqual([
    {
      key: `u1/${at}`,
      uid: 'u1',
      replica: 'pod-0',
      at,
      handedBack: 2,
      lost: 1,
      templateHash: 'abc',
      terminating: true,
      deletedAt: Date.parse('2026-01-05T12:00:00Z'),
      disrupted: false,
      marked: false,
    },
  ]);
  expect(all.of('agents/others')).toEqual([]);
  later(600_001);
  expect(all.of('agents/jobs')).toEqual([]);
});

it('notes an end once, although the pod says it for the rest of its life', () => {
  const { all, later } = endings();
  const ended = podWith({ state: exit(5), restartCount: 0 });
  const restarted = podWith({ state: { running: {} }, lastState: exit(5), restartCount: 1 });
  all.note({ previous: running, current: ended });
  all.note({ previous: ended, current: restarted });
  expect(all.of('agents/jobs')).toHaveLength(1);
  later(600_001);
  all.note({ previous: restarted, current: podWith({ state: { running: {} }, lastState: exit(5), restartCount: 1 }) });
  expect(all.of('agents/jobs')).toEqual([]);
  all.note({ previous: restarted, current: podWith({ state: { running: {} }, lastState: exit(7), restartCount: 2 }) });
  expect(all.of('agents/jobs')).toHaveLength(1);
});

it.each(
  [
    [
      '',
      'not JSON',
      '[]',
      '{"handedBack":-1,"lost":0}',
      '{"handedBack":"2","lost":0}',
      '{"handedBack":1e400,"lost":0}',
    ],
  ].flat(),
)('takes %j for no word of a worker', (message) => {
  const { all } = endings();
  all.note({ previous: running, current: podWith({ state: exit(5, message) }) });
  expect(all.of('agents/jobs')).toEqual([]);
});

it('keeps a bounded number of them, the latest', () => {
  const { all } = endings();
  for (let i = 0; i < 1100; i += 1) all.note({ current: podWith({ state: exit(5) }, { uid: `u${i}` }) });
  const kept = all.of('agents/jobs');
  expect(kept).toHaveLength(1000);
  expect(kept.at(-1)?.uid).toBe('u1099');
});
