import type { Millis } from '../../core/known.ts';
import { sleep } from '../../kube/wait.ts';
import type { QueueReading } from './source.ts';

/** A producer that adds a burst has its next jobs there by then. */
const PAUSE_MS: Millis = 10;
/** A queue that grows on and on is not waited for longer. */
const READINGS = 8;

/**
 * Reads a queue that has just woken its pool until two readings in a row say the same. A burst is added job by job
 * (BullMQ's `addBulk` is a pipeline), and the event of the first is heard before the last is there: the pool would get a
 * part of its replicas, and the rest a second later.
 */
export async function readSettled(
  read: () => Promise<QueueReading>,
  pause: (ms: Millis) => Promise<void> = sleep,
): Promise<QueueReading> {
  let reading = await read();
  for (let readings = 1; readings < READINGS && isBacklog(reading); readings += 1) {
    await pause(PAUSE_MS);
    const next = await read();
    const grows = waitingIn(next) > waitingIn(reading);
    reading = next;
    if (!grows) break;
  }
  return reading;
}

const waitingIn = ({ queue }: QueueReading): number => (queue.ok ? queue.value.ready : 0);

/** Only Redis knows it to the millisecond; what may not be asked again does not change. */
const isBacklog = ({ queue, againInMs }: QueueReading): boolean =>
  againInMs === undefined && queue.ok && queue.value.source === 'Redis' && queue.value.ready > 0 && !queue.value.paused;
