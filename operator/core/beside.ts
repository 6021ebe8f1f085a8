import type { Pool } from '../api/parse.ts';

/**
 * The pool only looks at a Deployment that somebody else made and scales: its replicas count as the pool's, and nothing of
 * it is ever changed. The resource allows that in mode Recommend alone.
 */
export const isBeside = ({ spec }: Pick<Pool, 'spec'>): boolean => deploymentBeside({ spec }) !== undefined;

/** Its name. */
export const deploymentBeside = ({ spec: { mode, workers } }: Pick<Pool, 'spec'>): string | undefined =>
  mode === 'Recommend' ? workers.deploymentName : undefined;
