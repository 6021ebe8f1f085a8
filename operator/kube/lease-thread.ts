import { parentPort, workerData } from 'node:worker_threads';
import type { Credentials, CredentialSource } from './credentials.ts';
import { Election } from './election.ts';
import {
  type FromThread,
  type LeaseThreadData,
  loadMs,
  monotonicMs,
  shared,
  storeMs,
  type ToThread,
} from './lease-messages.ts';
import { createLeaseApi } from './lease-record.ts';
import type { Logger } from './log.ts';
import type { RequestMetrics } from './metrics.ts';
import { createTransport } from './transport.ts';
import { type Deferred, deferred, sleep } from './wait.ts';

/** After a hang was found, the time in which the process may still end by itself. */
const hungGraceMs = 5_000;

const port = parentPort;
if (!port) throw new Error('this file is the entry of a worker thread');
const data = workerData as LeaseThreadData;
const say = (message: FromThread) => port.postMessage(message);
const release = new AbortController();
const credentials = credentialsFromMain(data.credentials);

const logAs =
  (level: 'debug' | 'info' | 'warn' | 'error') =>
  (fields: object, message: string): void =>
    say({ kind: 'log', level, fields, message });
const log: Logger = { debug: logAs('debug'), info: logAs('info'), warn: logAs('warn'), error: logAs('error') };

const countedByMain: RequestMetrics = {
  requests: { inc: (labels, value = 1) => value > 0 && say({ kind: 'answered', labels }) },
  // A call that waits for its turn or is sent again is not what a lease's are.
  requestSeconds: { observe: () => undefined },
  retries: { inc: () => undefined },
};

port.on('message', (message: ToThread) => {
  if (message.kind === 'release') release.abort(new Error('the lease is given back'));
  else credentials.take(message.credentials);
});
storeMs(data.times, shared.threadAlive, monotonicMs());
const alive = setInterval(() => storeMs(data.times, shared.threadAlive, monotonicMs()), 1_000);

await compete();
clearInterval(alive);
port.close();

async function compete(): Promise<void> {
  const { namespace, name, identity, timings, times, userAgent, cureOfMissingRight } = data;
  // undici takes whole numbers only, and a third of a duration need not be one.
  const callMs = Math.round(Math.min(5_000, timings.renewMs));
  const limits = { callMs, headersMs: callMs, connectMs: callMs, retries: 0, inactivityMs: timings.durationMs + 5_000 };
  const transport = createTransport({
    credentials,
    log,
    limits,
    userAgent,
    metrics: countedByMain,
    ...(cureOfMissingRight === undefined ? {} : { cureOfMissingRight: () => cureOfMissingRight }),
  });
  const election = new Election({
    api: createLeaseApi(transport, { namespace, name }),
    identity,
    timings,
    log,
    now: monotonicMs,
    heartbeat: () => loadMs(times, shared.heartbeat),
    validUntil: (until) => storeMs(times, shared.validUntil, until),
    barred: (because) => say({ kind: 'barred', because }),
  });
  try {
    say({ kind: 'acquired', epoch: await election.acquire(release.signal) });
    const loss = await election.hold(release.signal);
    if (loss) {
      say({ kind: 'lost', loss });
      if (loss.hung) await endHungProcess();
    }
  } catch (error) {
    if (!release.signal.aborted) throw error;
  } finally {
    await transport.close();
  }
  if (release.signal.aborted) say({ kind: 'released' });
}

/** A main loop that hangs cannot end its process, so this thread does. (As PID 1 the liveness probe must.) */
async function endHungProcess(): Promise<void> {
  await sleep(hungGraceMs);
  process.kill(process.pid, 'SIGKILL');
}

/** Files, exec plugins and caches stay in the main thread; this one asks it when the server answers 401. */
function credentialsFromMain(first: Credentials): CredentialSource & { take(credentials: Credentials): void } {
  let current = first;
  let wanted: Deferred<void> | undefined;
  return {
    get: () => Promise.resolve(current),
    async renew() {
      if (!wanted) {
        wanted = deferred();
        say({ kind: 'credentials-wanted' });
      }
      await Promise.race([wanted.promise, sleep(2_000)]);
      return current;
    },
    take(credentials) {
      current = credentials;
      wanted?.resolve();
      wanted = undefined;
    },
  };
}
