import type { Millis } from '../known.ts';
import type { Looked } from './looked.ts';
import { FOR_A_MARK, fingerprintOf, whyNot } from './settled.ts';
import type { DrainStep } from './steps.ts';
import type { DrainReplica } from './view.ts';

/** A result of a readiness probe that is older than this has reached the API server. */
const PROBE_LAG_MS: Millis = 10_000;

/**
 * The next marks, either set or taken back, never both: the ReplicaSet tells us a number, and only while all changes go
 * one way does the number say which pods it has seen. So each change of direction waits until all before it are counted.
 * A label that somebody took is set again like a mark that is taken back: a mark beside it, or on it, could not be told.
 */
export function markSteps(looked: Looked): readonly DrainStep[] {
  const { view, preconditions } = looked;
  const forAMark = FOR_A_MARK.filter((name) => preconditions.includes(name));
  if (whyNot(view, forAMark) !== undefined) return [];
  const untrue = untrueMarks(looked).map(({ uid, name }): DrainStep => ({ kind: 'unmark', uid, name }));
  const back = [...untrue, ...labelsLost(looked)];
  return back.length > 0 ? back : newMarks(looked);
}

const labelsLost = ({ view }: Looked): readonly DrainStep[] =>
  view.replicas.flatMap(({ uid, name, lostLabels }) =>
    lostLabels === undefined ? [] : [{ kind: 'relabel', uid, name, labels: lostLabels }],
  );

/**
 * Of a replica that is not to go, that works, or that was proven anew; or, of all, when another replica came since. A
 * witness that was silent for a moment is no reason: the mark holds nothing up but the number.
 */
function untrueMarks({ view, preconditions, leaving, proofOf }: Looked): readonly DrainReplica[] {
  const marked = view.replicas.filter(({ mark }) => mark !== undefined);
  const untrue = marked.filter((replica) => {
    const proof = proofOf(replica);
    const isUntrue = proof.proven ? proof.of !== replica.mark?.of : !proof.silent;
    return !leaving.has(replica.uid) || isUntrue || replica.ready;
  });
  if (untrue.length > 0) return untrue;
  return preconditions.includes('othersRanAtTheMark') && whyNot(view, ['othersRanAtTheMark']) !== undefined
    ? marked.slice(0, 1)
    : [];
}

function newMarks({ view, preconditions, leaving, proofOf }: Looked): readonly DrainStep[] {
  const candidates = view.replicas.flatMap((replica) => {
    const proof = proofOf(replica);
    const isNew = replica.mark === undefined && leaving.has(replica.uid);
    return isNew && proof.proven && isShownNotReady(replica, view) ? [{ replica, of: proof.of }] : [];
  });
  const uids = new Set(candidates.map(({ replica }) => replica.uid));
  const others = view.replicas.filter(({ uid }) => !uids.has(uid));
  const othersRun = whyNot({ ...view, replicas: others }, ['othersRun']) === undefined;
  if (preconditions.includes('othersRun') && !othersRun) return [];
  const beside = fingerprintOf(view.replicas);
  return candidates.map(({ replica: { uid, name }, of }) => ({ kind: 'mark', uid, name, mark: { of, beside } }));
}

/**
 * Not ready because it is idle, and not because of an older probe that a later, good one may follow: our watch has shown
 * it ready while it was idle, or that was long ago.
 */
function isShownNotReady({ uid, ready, cannotStart }: DrainReplica, { memory, now }: Looked['view']): boolean {
  if (ready) return false;
  if (cannotStart !== undefined) return true;
  const idle = memory.cordons[uid]?.idle;
  return idle !== undefined && (idle.shownReady || now - idle.since >= PROBE_LAG_MS);
}
