import type { Millis } from '../../core/known.ts';

/** A sample that is older says nothing of now: a minute, the longest usual scrape interval, and the time of a scrape. */
export const STALE_MS: Millis = 75_000;

/** A string literal of PromQL, in which only these need an escape (prometheus.io/docs/prometheus/latest/querying/basics). */
const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/**
 * How many jobs wait, for a user who gives no query: jobs in `wait` and with a priority, and overdue delayed ones, as the
 * workers of the pool's namespace export them. The same number comes from every replica, hence `max`. Prometheus itself
 * answers with samples of up to five minutes ago; with old ones, or without one of the three, there is no result.
 */
export function defaultQuery({ queue, namespace }: Readonly<{ queue: string; namespace: string }>): string {
  const labels = `queue=${quoted(queue)},namespace=${quoted(namespace)}`;
  const series = [
    `bullmq_job_count{${labels},state="waiting"}`,
    `bullmq_job_count{${labels},state="prioritized"}`,
    `bullmq_queue_overdue_jobs{${labels}}`,
  ];
  return series.map((each) => `max(${each} and timestamp(${each}) > time() - ${STALE_MS / 1000})`).join(' + ');
}
