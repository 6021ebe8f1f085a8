import { count, sayLength } from '../sentence.ts';
import type { Millis } from '../known.ts';
import { failureOf } from './step-outcome.ts';
import type { ActiveJobs, DrainReplica, DrainView } from './view.ts';

/** For so long a replica is told to take no new job; not told again, it works on. */
export const CORDON_SECONDS = 60;
/** A lowered number may be on its way this long (the limit of a call), and the controllers may act as long again. */
const LEASE_LEFT_MS: Millis = 30_000;

/** Whether a replica runs no job and will start none. */
export type Proof =
  | Readonly<{
      proven: true;
      because: string;
      /** Names this proof: while it stays the same, the replica has run nothing and was not ready in between. */
      of: string;
    }>
  /** `silent`: a witness did not testify, which is no sign that the replica works. */
  | Readonly<{ proven: false; because: string; silent: boolean }>;

const proven = (because: string, of: string): Proof => ({ proven: true, because, of });
const busy = (because: string): Proof => ({ proven: false, because, silent: false });
const silent = (because: string): Proof => ({ proven: false, because, silent: true });

/** Two witnesses must say so in this very pass: the replica itself, and Redis. A silent one means busy. */
export function proofOf(replica: DrainReplica, view: DrainView): Proof {
  const own = replica.cannotStart === undefined ? ownWitness(replica, view) : cannotRun(replica);
  return own.proven ? redisWitness(replica, view, own) : own;
}

const cannotRun = ({ cannotStart, answer, ready, restarts }: DrainReplica): Proof =>
  answer.ok || ready
    ? busy('it runs after all')
    : proven(`its worker does not run (${cannotStart})`, `not started ${restarts}`);

function ownWitness({ uid, answer }: DrainReplica, { memory, now, epoch }: DrainView): Proof {
  const cordon = memory.cordons[uid];
  const failure = failureOf(memory, { kind: 'cordon', uid });
  if (cordon === undefined) {
    return busy(`it was not told to take no new job${failure === undefined ? '' : `: ${failure.because}`}`);
  }
  if (!answer.ok) return silent(`it does not say whether it is idle: ${answer.because}`);
  const { active, processStart, cordoned } = answer.value;
  if (processStart !== cordon.processStart) return busy('its process is not the one that was told to take no new job');
  if (!cordoned) return busy('it takes new jobs again');
  if (active > 0) return busy(`it runs ${count(active, 'job')}`);
  const leftMs = cordon.until - now;
  if (leftMs < LEASE_LEFT_MS) return silent(`it may take new jobs again in ${sayLength(leftMs)}`);
  return proven('it says that it runs no job', `${epoch} ${cordon.since} ${processStart}`);
}

function redisWitness(replica: DrainReplica, { activeJobs }: DrainView, own: Proof & { proven: true }): Proof {
  if (!activeJobs.ok) return silent(`Redis does not say who works: ${activeJobs.because}`);
  const { jobs } = activeJobs.value.byName[replica.name] ?? { jobs: 0 };
  if (jobs > 0) return busy(`Redis has ${count(jobs, 'active job')} of it`);
  const unsaid = silentBecause(replica, activeJobs.value);
  if (unsaid !== undefined) return silent(unsaid);
  return { ...own, because: `${own.because}, and Redis has no active job of it` };
}

/** Jobs without a name could be anybody's: then Redis testifies only when there is none at all. */
function silentBecause({ name, answer }: DrainReplica, { total, unnamed }: ActiveJobs): string | undefined {
  if (unnamed > 0) return `${count(unnamed, 'active job')} in Redis ${unnamed === 1 ? 'has' : 'have'} no worker's name`;
  const marksJobs = !answer.ok || answer.value.name === name;
  if (total === 0 || marksJobs) return undefined;
  return `it does not mark its jobs with its name, and ${count(total, 'job')} ${total === 1 ? 'is' : 'are'} active`;
}
