/** What the simulation takes for granted, said on every report. docs/guide/what-if.md has the reasons. */
export const ASSUMPTIONS: readonly string[] = [
  'One queue, first in, first out. A free slot takes the next job; the replica that has waited longest gets it. Every replica takes the same time to start, and nodes never run out.',
  'Replica-hours count from the first job until the last has ended, from the moment that a replica is made until it is gone. The ideal is the sum of all durations divided by the slots.',
  'ours: the operator’s own decision and its own drain, looking once a second. Replicas that are too many are cordoned, those with the fewest and youngest jobs first, given back to work when load returns, and removed when idle.',
  'hpa: waiting / 5 on an external metric, at least one replica. keda: (waiting + active) / slots, its poll of 30 s from zero, its cooldown of 300 s to zero. Both: sync 15 s, tolerance 0.1, 300 s of stabilization, +100 % or 4 pods in 15 s.',
  'knative: ticks of 2 s, a window of 60 s, panic on 6 s, 0.7 of the slots as target, zero after another 30 s.',
  'What hpa, keda and knative remove, a ReplicaSet chooses without asking who works. A replica gets its grace (30 s; knative 300 s) to end its jobs. A job that is killed runs again from its beginning 30 s later, and fails the second time.',
];
