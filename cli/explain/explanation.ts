import { formatDuration } from '../../operator/api/duration.ts';
import type { Pool } from '../../operator/api/parse.ts';
import { sayLength } from '../../operator/core/sentence.ts';
import { parseIsoTime } from '../../operator/core/time.ts';
import { printable } from '../terminal.ts';

/** One input of a decision, as text; absent inputs are unknown, and say so. */
type Input = Readonly<{ name: string; value: string; note?: string }>;

/** Why a pool has its size, as the operator wrote it into the status. */
export type Explanation = Readonly<{
  pool: string;
  /** Absent before the operator's first look. */
  decision?: Readonly<{ reason: string; message: string; at: string }>;
  replicas?: Readonly<{ current: number; ready: number; wanted: number; draining: number }>;
  inputs: readonly Input[];
  /** The rules that bound the number, in the order in which they were asked. */
  bounds: readonly Readonly<{ reason: string; from: number; to: number; message: string }>[];
  /** Conditions that are not as they should be. */
  troubles: readonly Readonly<{ type: string; reason: string; message: string }>[];
  /** Replicas of which there is something to say, the sickest first. */
  workers: readonly Readonly<{ pod: string; phase: string; because: string }>[];
  /** The status is of an older spec: the operator has not seen the last change yet. */
  stale: boolean;
}>;

export function explain(pool: Pool): Explanation {
  const { status } = pool;
  return {
    pool: `${pool.namespace}/${pool.name}`,
    ...(status?.decision === undefined ? {} : { decision: pick(status.decision) }),
    ...(status?.replicas === undefined ? {} : { replicas: status.replicas }),
    inputs: [...queueInputs(pool), ...specInputs(pool)],
    bounds: status?.decision?.bounds ?? [],
    troubles: (status?.conditions ?? []).flatMap(({ type, status: value, reason, message }) =>
      value === GOOD[type] ? [] : [{ type, reason, message }],
    ),
    workers: workersOf(status),
    stale: status?.observedGeneration !== undefined && status.observedGeneration < pool.generation,
  };
}

const workersOf = (status: Pool['status']): Explanation['workers'] =>
  (status?.workers ?? []).flatMap(({ pod, phase, because }) =>
    because === undefined ? [] : [{ pod, phase, because }],
  );

const pick = ({ reason, message, at }: Readonly<{ reason: string; message: string; at: string }>) => ({
  reason,
  message,
  at,
});

/** What each condition says of a pool that nobody has to look at. */
const GOOD: Readonly<Record<string, string>> = { Reconciling: 'False', Stalled: 'False' };
for (const type of ['Ready', 'ScalingActive', 'QueueObserved', 'DependenciesHealthy', 'RestartBudgetAvailable']) {
  Object.assign(GOOD, { [type]: 'True' });
}

const UNKNOWN = 'unknown';

function queueInputs({ status }: Pool): Input[] {
  const queue = status?.queue ?? {};
  const meanNote = queue.meanDuration === undefined ? { note: 'counts as the wait target' } : {};
  return [
    { name: 'waiting', value: count(queue.waiting), note: waitingNote(queue) },
    { name: 'active', value: count(queue.active) },
    { name: 'delayed', value: count(queue.delayed) },
    { name: 'mean duration', value: queue.meanDuration ?? UNKNOWN, ...meanNote },
    { name: 'read from', value: queue.source ?? UNKNOWN, note: queue.observedAt ?? '' },
  ];
}

const count = (value: number | undefined): string => (value === undefined ? UNKNOWN : String(value));

function waitingNote(queue: NonNullable<NonNullable<Pool['status']>['queue']>): string {
  if (queue.paused === true) return 'the queue is paused';
  return queue.oldestWait === undefined ? '' : `the oldest for ${queue.oldestWait}`;
}

const specInputs = ({ spec: { workers, scaling } }: Pool): Input[] => [
  { name: 'slots a replica', value: String(workers.concurrency), note: 'workers.concurrency' },
  { name: 'wait target', value: formatDuration(scaling.targetWaitMs), note: 'scaling.targetWait' },
  {
    name: 'replicas allowed',
    value: `${scaling.minReplicas} to ${scaling.maxReplicas}`,
    note: 'minReplicas, maxReplicas',
  },
  {
    name: 'window',
    value: formatDuration(Math.max(scaling.scaleDownWindowMs, scaling.targetWaitMs)),
    note: 'scaleDown.window, never below targetWait',
  },
];

/** For a person; `now` in milliseconds since the epoch. */
export function renderExplanation(explanation: Explanation, now: number): string {
  const { pool, decision, replicas, inputs, bounds, troubles, workers, stale } = explanation;
  const head =
    decision === undefined
      ? [`${pool}: the operator has not decided anything yet. Does it run, and does it look after this namespace?`]
      : [`${pool}: ${decision.reason}, ${sayAge(decision.at, now)}`, `  ${decision.message}`];
  const numbers = replicas === undefined ? [] : [`  ${sayReplicas(replicas)}`];
  const age = stale ? ['  This is about an older spec: the operator has not seen the last change yet.'] : [];
  const chain = bounds.length === 0 ? ['  none: the number is what the queue needs'] : bounds.map(sayBound);
  return [
    ...head,
    ...numbers,
    ...age,
    '',
    'Inputs',
    ...inputs.map(sayInput),
    '',
    'Rules that bound it',
    ...(decision === undefined ? ['  none yet'] : chain),
    ...(troubles.length === 0
      ? []
      : ['', 'Conditions', ...troubles.map(({ type, reason, message }) => `  ${type}: ${reason}: ${message}`)]),
    ...sayWorkers(workers),
    '',
  ]
    .map(printable)
    .join('\n');
}

/** A pool may have 200 that all say the same. */
const MOST_WORKERS = 10;

function sayWorkers(workers: Explanation['workers']): readonly string[] {
  if (workers.length === 0) return [];
  const said = workers.slice(0, MOST_WORKERS).map(({ pod, phase, because }) => `  ${pod}: ${phase}: ${because}`);
  const left = workers.length - said.length;
  return ['', 'Replicas', ...said, ...(left === 0 ? [] : [`  and ${left} more`])];
}

function sayAge(at: string, now: number): string {
  const since = parseIsoTime(at);
  return since === undefined ? at : `since ${sayLength(Math.max(0, now - since))}`;
}

function sayReplicas({ current, ready, wanted, draining }: NonNullable<Explanation['replicas']>): string {
  const onTheirWay = draining === 0 ? '' : `, ${draining} draining`;
  return `${wanted} wanted, ${current} there, ${ready} ready${onTheirWay}`;
}

const sayInput = ({ name, value, note = '' }: Input): string =>
  `  ${name.padEnd(16)}  ${value.padStart(9)}${note === '' ? '' : `  ${note}`}`;

const sayBound = ({ reason, from, to, message }: Explanation['bounds'][number], index: number): string =>
  `  ${index + 1}. ${from} → ${to}  ${reason}: ${message}`;
