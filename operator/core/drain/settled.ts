import { count } from '../sentence.ts';
import { LOWEST_COST } from './foreign-cost.ts';
import { type DrainReplica, type DrainView, withPods } from './view.ts';

/** A question about the cluster; the answer is why the number may not be lowered now, undefined when it may. */
type Check = (view: DrainView) => string | undefined;

export type Precondition =
  | 'controllersCaughtUp'
  | 'oneReplicaSet'
  | 'sameNumber'
  | 'othersRun'
  | 'othersCostMore'
  | 'marksCounted'
  | 'othersRanAtTheMark';

/**
 * What must be true in the pass that lowers the number. The ReplicaSet controller chooses from its own, older view of the
 * pods; its status says what that view was. docs/adr/0010 has the reason for each.
 */
const PRECONDITIONS: Readonly<Record<Precondition, Check>> = {
  controllersCaughtUp: ({ deployment, replicaSets }) => {
    if (deployment.behind) return 'our watch does not show what was written last';
    if (deployment.observedGeneration < deployment.generation) return 'the Deployment controller is behind';
    const late = replicaSets.some(({ generation, observedGeneration }) => observedGeneration < generation);
    return late ? 'the ReplicaSet controller is behind' : undefined;
  },
  oneReplicaSet: ({ replicaSets }) => {
    const { length } = withPods(replicaSets);
    return length === 1 ? undefined : `${count(length, 'ReplicaSet')} ${length === 1 ? 'has' : 'have'} pods`;
  },
  // A lowering that is on its way would be subtracted twice.
  sameNumber: ({ deployment, replicaSets, replicas }) => {
    const sets = withPods(replicaSets);
    const spec = sets.reduce((sum, set) => sum + set.replicas, 0);
    const counted = sets.reduce((sum, { status }) => sum + status.replicas, 0);
    const counts = [deployment.replicas, spec, counted, replicas.length];
    if (new Set(counts).size === 1) return undefined;
    return `Deployment, ReplicaSet, its status and our watch have ${counts.join(', ')} replicas`;
  },
  // It would go first.
  othersRun: ({ replicas }) => {
    const starting = replicas.find(({ mark, running }) => mark === undefined && !running);
    return starting && `${starting.name} does not run yet and would go first`;
  },
  // Not ready, it would be equal to a proven one, and the younger goes.
  othersCostMore: ({ replicas }) => {
    const equal = replicas.find(({ mark, foreignCost }) => mark === undefined && foreignCost === LOWEST_COST);
    return equal && `${equal.name} has the lowest deletion cost from somebody else and could go instead`;
  },
  marksCounted: ({ replicaSets, replicas }) => {
    const sets = withPods(replicaSets);
    const counted = sets.reduce((sum, { status }) => sum + status.replicas - status.unmarked, 0);
    // What somebody took a label from is counted with them: only the sum says that each mark was seen.
    const marked = replicas.filter(({ mark, lostLabels }) => mark !== undefined || lostLabels !== undefined).length;
    return counted === marked ? undefined : `the ReplicaSet counts ${counted} marked replicas, our watch ${marked}`;
  },
  // Who has seen a mark has seen what the pods were before it, but not what they became later.
  othersRanAtTheMark: ({ replicas }) => {
    const beside = fingerprintOf(replicas);
    const marks = replicas.flatMap(({ mark }) => (mark === undefined ? [] : [mark]));
    if (marks.length === 0 || marks.some((mark) => mark.beside === beside)) return undefined;
    return 'a replica has come since the last mark';
  },
};

/** What must be true for the next mark, set or taken back: that every earlier one was counted. */
export const FOR_A_MARK: readonly Precondition[] = [
  'controllersCaughtUp',
  'oneReplicaSet',
  'sameNumber',
  'marksCounted',
];

export const ALL: readonly Precondition[] = Object.keys(PRECONDITIONS) as Precondition[];

export function whyNot(view: DrainView, preconditions: readonly Precondition[]): string | undefined {
  for (const name of preconditions) {
    const because = PRECONDITIONS[name](view);
    if (because !== undefined) return because;
  }
  return undefined;
}

/**
 * Whether a lower number may still be on its way, or be carried out: then a marked replica can be told to end at any
 * moment, and must not be given a job.
 */
export const loweringMayBeUnderWay = (view: DrainView): boolean =>
  whyNot(view, ['controllersCaughtUp', 'oneReplicaSet']) !== undefined || moreThanAsked(view);

function moreThanAsked({ deployment, replicaSets, replicas }: DrainView): boolean {
  const [only] = withPods(replicaSets);
  if (only === undefined || only.replicas !== deployment.replicas) return true;
  return only.status.replicas > only.replicas || replicas.length > only.replicas;
}

/** Names a set of replicas: FNV-1a of the sorted UIDs, 64 bits. */
export function fingerprintOf(replicas: readonly Pick<DrainReplica, 'uid'>[]): string {
  const text = replicas
    .map(({ uid }) => uid)
    .sort()
    .join();
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i += 1) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  }
  return hash.toString(36);
}
