import { writeFileSync } from 'node:fs';
import type { WorkerExit } from './lifecycle.ts';

/**
 * Tells Kubernetes what became of the jobs that ran: the kubelet makes the file's content the message of the terminated
 * container. The process is gone before a scrape or a request could ask it.
 */
export const writeTerminationMessage = (path: string, { handedBack, lost }: WorkerExit): void => {
  try {
    // Only a file that is there: outside of Kubernetes nobody reads it.
    writeFileSync(path, JSON.stringify({ handedBack, lost }), { flag: 'r+' });
  } catch {
    // The exit must not fail for it; the log has the same numbers.
  }
};
