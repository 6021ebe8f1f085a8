import type { Known, Millis } from '../known.ts';
import { HPA_SYNC_MS, type HpaMemory, syncHpa } from './hpa.ts';
import { FIRST_KEDA_MEMORY, type KedaMemory, stepKeda } from './keda.ts';

const HOUR_MS: Millis = 3_600_000;
const HOURS_KEPT = 24;
/** Of a longer time nothing is known: the process slept, or another one led. */
const LONGEST_GAP_MS: Millis = 60 * 60_000;
/** What people write first when they scale a queue with an HPA: one replica for each five jobs that wait. */
const WAITING_A_REPLICA = 5;

type Numbers = Readonly<{ pool: number; hpa: number; keda: number }>;

/** Replica-seconds of each whole hour since `from`, the last one still running; at most 24. */
export type Hourly = Readonly<{ from: Millis; hours: readonly Numbers[] }>;

/** How many replicas the rules of others would have by now, and what they have used so far. */
export type Account = Readonly<{
  hourly: Hourly;
  /** Until when it is counted. */
  at: Millis;
  syncedAt: Millis;
  replicas: Numbers;
  hpa: HpaMemory;
  keda: KedaMemory;
  /** What the queue held at the last look: it is taken to have held until the next. Absent while it is unknown. */
  seen?: Jobs;
}>;

type Jobs = Readonly<{ waiting: number; active: number }>;

export type Look = Readonly<{
  now: Millis;
  /** Waiting and running jobs; while they are unknown an HPA changes nothing. */
  queue: Known<Jobs>;
  /** Replicas that the pool has. */
  current: number;
  slots: number;
  minReplicas: number;
  maxReplicas: number;
}>;

const hourOf = (at: Millis): Millis => at - (at % HOUR_MS);

/** Begins to count, or goes on with the hours that the status has kept. */
export function openAccount(look: Look, kept: Hourly | undefined): Account {
  const { now, current } = look;
  return {
    hourly: kept ?? { from: hourOf(now), hours: [] },
    at: now,
    syncedAt: now,
    replicas: { pool: current, hpa: Math.max(1, current), keda: current },
    hpa: [],
    keda: FIRST_KEDA_MEMORY,
    ...seenBy(look),
  };
}

const seenBy = ({ queue }: Look): Pick<Account, 'seen'> => (queue.ok ? { seen: queue.value } : {});

/**
 * Counts what was used since the last look, and lets the rules look at the queue as it was then: a pool whose queue stays
 * as it is need not be looked at for that. An estimate: they see the backlog that this pool has left, not the one that
 * they would have left themselves.
 */
export function accountFor(before: Account, look: Look): Account {
  const from = look.now - before.at > LONGEST_GAP_MS ? look.now : before.at;
  let account: Account = { ...before, at: from, syncedAt: Math.max(before.syncedAt, from - HPA_SYNC_MS) };
  while (account.syncedAt + HPA_SYNC_MS <= look.now) {
    const at = account.syncedAt + HPA_SYNC_MS;
    account = sync({ ...count(account, at), syncedAt: at }, look);
  }
  const { seen: _before, ...counted } = count(account, look.now);
  return { ...counted, ...seenBy(look), replicas: { ...counted.replicas, pool: look.current } };
}

/** One sync of both rules, as both do every 15 s. */
function sync(account: Account, { slots, minReplicas, maxReplicas }: Look): Account {
  if (account.seen === undefined) return account;
  const { waiting, active } = account.seen;
  const bounds = { now: account.syncedAt, minReplicas, maxReplicas };
  const byHpa = { ...bounds, metric: waiting, perReplica: WAITING_A_REPLICA, current: account.replicas.hpa };
  const byKeda = { ...bounds, metric: waiting + active, perReplica: slots, current: account.replicas.keda };
  const hpa = syncHpa(account.hpa, byHpa);
  const keda = stepKeda(account.keda, byKeda);
  const replicas = { ...account.replicas, hpa: hpa.replicas, keda: keda.replicas };
  return { ...account, replicas, hpa: hpa.memory, keda: keda.memory };
}

/** Adds what the replicas used until `to`, each part to its own hour. */
function count(account: Account, to: Millis): Account {
  let { at, hourly } = account;
  while (at < to) {
    const end = Math.min(to, hourOf(at) + HOUR_MS);
    hourly = addTo(hourly, { hour: hourOf(at), seconds: (end - at) / 1000, replicas: account.replicas });
    at = end;
  }
  return { ...account, hourly, at };
}

const NOTHING: Numbers = { pool: 0, hpa: 0, keda: 0 };

function addTo(
  { from, hours }: Hourly,
  { hour, seconds, replicas }: Readonly<{ hour: Millis; seconds: number; replicas: Numbers }>,
): Hourly {
  const index = Math.round((hour - from) / HOUR_MS);
  // Kept hours of another day, or of a clock that was wrong.
  if (index < 0 || index >= 2 * HOURS_KEPT) return addTo({ from: hour, hours: [] }, { hour, seconds, replicas });
  const all = Array.from({ length: Math.max(hours.length, index + 1) }, (_, i) => hours[i] ?? NOTHING);
  const added = all.map((sum, i) => (i === index ? plus(sum, replicas, seconds) : sum));
  const dropped = Math.max(0, added.length - HOURS_KEPT);
  return { from: from + dropped * HOUR_MS, hours: added.slice(dropped) };
}

const plus = (sum: Numbers, replicas: Numbers, seconds: number): Numbers => ({
  pool: sum.pool + replicas.pool * seconds,
  hpa: sum.hpa + replicas.hpa * seconds,
  keda: sum.keda + replicas.keda * seconds,
});

/** Nothing that runs is counted, and none of the rules would start any while the queue stays empty. */
export const isIdle = ({ replicas }: Account, { minReplicas }: Readonly<{ minReplicas: number }>): boolean =>
  minReplicas === 0 && replicas.pool === 0 && replicas.keda === 0;

/** Replica-hours of all hours that are kept. */
export function replicaHours({ hours }: Hourly): Numbers {
  const seconds = hours.reduce((sum, hour) => plus(sum, hour, 1), NOTHING);
  return { pool: seconds.pool / 3600, hpa: seconds.hpa / 3600, keda: seconds.keda / 3600 };
}
