import { SERVING_LABEL } from '../../api/names.ts';
import type { ReplicaSetView, ReplicaView } from '../state.ts';
import { readMark } from './mark-text.ts';
import type { DrainReplica, Mark } from './view.ts';

type Labels = Readonly<Record<string, string>>;

/** The ReplicaSet that a replica belongs to. Without one it was let go: somebody has changed the labels it is chosen by. */
export const ownerOf = <T extends Pick<ReplicaSetView, 'templateHash'>>(
  { templateHash }: Pick<ReplicaView, 'templateHash'>,
  sets: readonly T[],
): T | undefined => sets.find((set) => set.templateHash === templateHash);

/** What a replica's labels lack of its template's, as the template has them. */
export const lostLabels = ({ labels }: Pick<ReplicaView, 'labels'>, template: Labels): Labels =>
  Object.fromEntries(Object.entries(template).filter(([name, value]) => labels[name] !== value));

type Standing = Readonly<{
  mark: Mark | undefined;
  lost: Labels;
  /** It was told to take no new job, as far as anybody knows. */
  cordoned: boolean;
}>;

/**
 * A replica without a label of its template is one less in the ReplicaSet's count, as a marked one is. When it is cordoned
 * it may have been marked, and somebody took the proof away: then a lower number may have it, and the mark is of no proof.
 * One that works has lost a label by somebody's hand.
 */
export function standingOf({ mark, lost, cordoned }: Standing): Pick<DrainReplica, 'mark' | 'lostLabels'> {
  if (mark !== undefined) return { mark };
  if (Object.keys(lost).length === 0) return {};
  return lost[SERVING_LABEL] !== undefined && cordoned ? { mark: readMark(undefined) } : { lostLabels: lost };
}
