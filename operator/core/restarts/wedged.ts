import type { ReplicaWork, RestartView, WedgeEntry, WedgeMemory } from './view.ts';

/**
 * The replicas that could take a job at every look since the time that is kept. Whatever stands in the way of a fetch
 * ends the time, and so does silence: it begins anew with the next look. Only one that was found wedged, and is told to
 * take no new job for that, stays so.
 */
export function watchFetching({ now, replicas, jobsMayStart, memory, spec }: RestartView): WedgeMemory {
  if (!replicas.ok || !jobsMayStart) return {};
  const entries = replicas.value.flatMap(({ uid, ready, work, worker }): readonly (readonly [string, WedgeEntry])[] => {
    if (!work.ok || worker.state !== 'Running') return [];
    const { processStart: process, lastFetch } = work.value;
    const before = memory.wedge[uid];
    const same = before !== undefined && before.process === process && before.lastFetch === lastFetch;
    const wasWedged = same && now - before.since >= spec.progressTimeoutMs;
    // One that is not ready may still be loading what it needs before it takes its first job.
    if (!(ready && isFree(work.value)) && !(wasWedged && work.value.cordoned)) return [];
    return [[uid, { since: same ? before.since : now, process, lastFetch }]];
  });
  return Object.fromEntries(entries);
}

/** A replica whose slots are all taken is busy, however long its jobs last. */
const isFree = ({ active, slots, cordoned, held, stopping }: ReplicaWork): boolean =>
  active < slots && !cordoned && held === null && !stopping;
