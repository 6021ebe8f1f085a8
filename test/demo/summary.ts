import type { Played } from './play.ts';

/** The figures of the demo, in milliseconds since the burst was added. */
const figures = ({ milestones, outcome, addedAt }: Played) => ({
  firstReplicaMs: milestones.firstReplicaMs ?? null,
  allReplicasMs: milestones.allReplicasMs ?? null,
  firstJobStartedMs: since(outcome.firstStartedAt, addedAt),
  peakReplicas: milestones.peakReplicas,
  allDoneMs: since(outcome.lastFinishedAt, addedAt),
  jobs: outcome.jobs,
  jobsLost: outcome.lost,
  jobsFailed: outcome.failed,
  jobsRunTwice: outcome.runTwice,
  zeroAgainMs: milestones.zeroAgainMs ?? null,
});

const since = (at: number, start: number): number | null => (Number.isFinite(at) ? at - start : null);

export const asJson = (played: Played): string => JSON.stringify(figures(played));

/** Every job completed once, and the pool went back to zero. */
export function isGood(played: Played): boolean {
  const { outcome, milestones } = played;
  return outcome.completed === outcome.jobs && outcome.runTwice === 0 && milestones.zeroAgainMs !== undefined;
}

export function summary(played: Played): string {
  const found = figures(played);
  const seconds = (ms: number | null) => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`);
  const lines: readonly (readonly [string, string])[] = [
    ['first replica ready', seconds(found.firstReplicaMs)],
    [`all ${found.peakReplicas} replicas ready`, seconds(found.allReplicasMs)],
    ['first job started', seconds(found.firstJobStartedMs)],
    [`all ${found.jobs} jobs done`, seconds(found.allDoneMs)],
    ['back at zero', seconds(found.zeroAgainMs)],
    ['jobs lost', String(found.jobsLost)],
    ['jobs failed', String(found.jobsFailed)],
    ['jobs run twice', String(found.jobsRunTwice)],
  ];
  return ['', ...lines.map(([name, value]) => `  ${name.padEnd(24)} ${value.padStart(8)}`)].join('\n');
}
