// First, before anything that takes time to load: see there.
import { stopRequested } from './signals.ts';
import { readConfig } from './config.ts';
import { testJob } from './handlers/test-job.ts';
import { createLog, describeError } from './log.ts';
import { runWorker } from './run.ts';
import { writeTerminationMessage } from './termination-message.ts';

/** Composition root of the worker image: the built-in handlers, configured by the environment. */
const parsed = readConfig();
const log = parsed.ok
  ? createLog({
      level: parsed.config.logLevel,
      fields: { pod: parsed.config.podName, queue: parsed.config.queue.name },
    })
  : createLog({ level: 'info', fields: {} });

const die = (what: string, details: object): never => {
  log.fatal(details, what);
  process.exit(1);
};

// Node would print the whole error, and with it the arguments of a Redis command: passwords and payloads.
process.on('uncaughtException', (error) =>
  die('unexpected error', { error, at: error.stack?.split('\n').slice(1, 6) }),
);

if (!parsed.ok) die('the environment cannot be used', { problems: parsed.problems });
else {
  const { config } = parsed;
  const worker = await runWorker({ handlers: { 'test-job': testJob }, config, log, stop: stopRequested }).catch(
    (error: unknown) => die('the worker cannot start', { error: describeError(error) }),
  );
  const exit = await worker.ended;
  writeTerminationMessage(config.terminationLog, exit);
  process.exit(exit.ok ? 0 : 1);
}
