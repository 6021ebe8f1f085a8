/** What a replica that is well answers to `/health`, by docs/worker-endpoints.md. */
export const sampleReport = {
  pod: 'replica',
  processStartTime: '2026-01-05T12:00:00.000Z',
  active: 2,
  slots: 5,
  held: null,
  stopping: false,
  cordonedUntil: null,
  lastFetchAt: null,
  lastFinishAt: null,
  redis: { connected: true },
  supabase: null,
};
