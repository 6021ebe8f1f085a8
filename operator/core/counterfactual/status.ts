import type { PoolStatus } from '../../api/pool.ts';
import type { Millis } from '../known.ts';
import { isoTime, parseIsoTime } from '../time.ts';
import { type Account, type Hourly, replicaHours } from './account.ts';

type Counterfactual = NonNullable<PoolStatus['counterfactual']>;

const NOTE =
  'An estimate: the rules of an HPA on waiting / 5 and of KEDA on (waiting + active) / slots, fed with the backlog that this pool has left.';

const inHours = (hours: number): string => hours.toFixed(1);

/** What the account of a pool comes to. Whole replica-seconds, and hours as text: Kubernetes asks for no fractions. */
export function renderCounterfactual({ hourly }: Account): Counterfactual {
  const sums = replicaHours(hourly);
  const seconds = (who: keyof typeof sums): readonly number[] => hourly.hours.map((hour) => Math.round(hour[who]));
  return {
    note: NOTE,
    since: isoTime(hourly.from),
    replicaHours: { pool: inHours(sums.pool), hpa: inHours(sums.hpa), keda: inHours(sums.keda) },
    hourlyReplicaSeconds: { pool: seconds('pool'), hpa: seconds('hpa'), keda: seconds('keda') },
  };
}

/** The hours that a status has kept, for the next leader. */
export function keptHours(status: PoolStatus | undefined): Hourly | undefined {
  const kept = status?.counterfactual;
  const from: Millis | undefined = parseIsoTime(kept?.since);
  if (kept === undefined || from === undefined || from % 3_600_000 !== 0) return undefined;
  const { pool, hpa, keda } = kept.hourlyReplicaSeconds;
  return { from, hours: pool.map((seconds, i) => ({ pool: seconds, hpa: hpa[i] ?? 0, keda: keda[i] ?? 0 })) };
}

/**
 * The last hour in which a replica ran, of the pool or by KEDA's rule; undefined for none. A thousand pools at zero would
 * otherwise write a thousand statuses with each new hour, to say that it was like the one before.
 */
export function lastBusyHour(status: PoolStatus): Millis | undefined {
  const kept = keptHours(status);
  const last = kept?.hours.findLastIndex(({ pool, keda }) => pool > 0 || keda > 0) ?? -1;
  return kept === undefined || last < 0 ? undefined : kept.from + last * 3_600_000;
}

/** The first moment at which the last busy hour is none of the last 24 any more, while nothing runs. */
export function busyHourLeavesAt(status: PoolStatus): Millis | undefined {
  const last = lastBusyHour(status);
  return last === undefined ? undefined : last + 24 * 3_600_000 + 1;
}
