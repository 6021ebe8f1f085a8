import { type Config, ConfigError, readConfig } from './config.ts';
import { createManager } from './loop/manager.ts';
import { build } from './assembly/build.ts';
import { componentsOf } from './assembly/components.ts';
import { connect } from './assembly/connect.ts';

/** Runs until SIGTERM, a failure or a lost lease. Resolves with the exit code. */
async function run(config: Config): Promise<number> {
  const kube = connect(config);
  const { log, election, poolMetrics } = kube;
  const components = componentsOf(kube, build(kube));
  const manager = createManager({
    log,
    election,
    components,
    process,
    exitNow: (code) => process.exit(code),
    onUnhandled: () => poolMetrics.unhandledErrors.inc(),
  });
  return manager.run();
}

try {
  // A connection that hangs must not keep a process alive that has given its lease back.
  process.exit(await run(readConfig(process.env)));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
