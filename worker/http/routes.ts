import type { IncomingMessage } from 'node:http';
import type { HealthReport } from '../health.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { json } from './server.ts';
import type { Reply, Routes } from './server.ts';

type Sources = Readonly<{
  /** Whether jobs can be taken, or why not yet. */
  readiness: () => { ready: true } | { ready: false; because: string };
  health: () => Promise<HealthReport>;
  metrics: WorkerMetrics;
}>;

/** The endpoints that a worker image offers; all are read without a token, so none may show a secret. */
export const createRoutes = ({ readiness, health, metrics }: Sources): Routes => {
  const exposition = async ({ url = '/' }: IncomingMessage): Promise<Reply> => ({
    status: 200,
    contentType: metrics.contentType,
    body: await metrics.text(namesIn(url)),
  });
  return {
    // The answer itself is the check: an event loop that stands still gives none.
    '/livez': { GET: async () => json(200, { live: true }) },
    '/ready': {
      GET: async () => {
        const state = readiness();
        return json(state.ready ? 200 : 503, state);
      },
    },
    '/health': {
      GET: async () => {
        const report = await health();
        return json(report.status === 'ok' ? 200 : 503, report);
      },
    },
    '/metrics': {
      GET: async (request) =>
        prefersText(request.headers.accept) ? exposition(request) : json(200, await metrics.json()),
    },
    '/metrics/prometheus': { GET: exposition },
  };
};

/** `?name[]=A&name[]=B`, as clients of Prometheus in other languages have it; undefined for all. */
const namesIn = (url: string): readonly string[] | undefined => {
  const names = new URLSearchParams(url.split('?', 2)[1] ?? '').getAll('name[]');
  return names.length === 0 ? undefined : names;
};

/** A Prometheus server names one of the text formats in `Accept`; browsers and curl name neither. */
export const prefersText = (accept = ''): boolean =>
  /\b(text\/plain|application\/openmetrics-text)\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept);
