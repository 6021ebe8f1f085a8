/** The runtime's limits and periods, all in milliseconds. Tests shorten them; an image runs with the defaults. */
export type WorkerTiming = Readonly<{
  /** A read of the queue is used for every scrape that comes within this time. */
  queueCacheMs: number;
  /** The queue's gauges are left out when the last good read is older than this. */
  queueStaleMs: number;
  /** Longest wait of a scrape for the read of the queue. The operator gives up a scrape after 1 s. */
  queueReadMs: number;
  /**
   * Longest wait for the answer to PING, and so about the longest that `/health` takes. The operator waits a second in a
   * drain, and `health.timeout` may be one: a report that comes later says nothing, not that Redis is out.
   */
  pingMs: number;
  /** Life of a job's lock in Redis. A job whose lock ran out is given to another worker. */
  lockMs: number;
  /** Time between two searches for jobs whose lock ran out. */
  stalledCheckMs: number;
  /** Pause after Redis refused to hand out a job (out of memory, read only, no permission). */
  fetchRetryMs: number;
  /** Longest age of a check of a dependency that is well; the pause before the next is somewhat shorter. */
  checkEveryMs: number;
  /** Pause, half of it at least, before a dependency that is not well is checked again. */
  checkAgainMs: number;
  /** Longest wait for a dependency's answer. */
  checkMs: number;
  /** How long the answer to a cordon waits for the fetches that are under way. */
  cordonSettleMs: number;
  /** How long a stopping worker in which nothing runs waits for a fetch under way, which may bring a job still. */
  stopIdleMs: number;
  /** How long handlers have to end once their signal is aborted. */
  abortMs: number;
  /** How long a stopping worker waits for Redis to take back the jobs that it could not finish. */
  handBackMs: number;
}>;

export const DEFAULT_TIMING: WorkerTiming = Object.freeze({
  queueCacheMs: 1_000,
  queueStaleMs: 15_000,
  queueReadMs: 500,
  pingMs: 700,
  lockMs: 30_000,
  stalledCheckMs: 30_000,
  fetchRetryMs: 1_000,
  checkEveryMs: 5_000,
  checkAgainMs: 1_000,
  checkMs: 2_000,
  cordonSettleMs: 1_000,
  stopIdleMs: 5_000,
  abortMs: 5_000,
  handBackMs: 5_000,
});
