import { parseArgs } from 'node:util';

export type DemoOptions = Readonly<{
  help: boolean;
  json: boolean;
  keep: boolean;
  jobs: number;
  /** Name of the embedded cluster. */
  name: string;
  /** A cluster that kubectl reaches, in place of the embedded one. */
  context?: string;
  kubeconfig?: string;
  images: Readonly<Partial<Record<'operator' | 'worker' | 'redis', string>>>;
}>;

export const USAGE = `npm run demo -- [options]

  --json              one JSON object on the last line of stdout
  --keep              leave everything running and say how to look around
  --jobs N            size of the burst (400)
  --name NAME         name of the embedded cluster (demo)
  --context NAME      use this context of kubectl in place of the embedded cluster;
                      it must be able to pull the three images:
  --operator-image R, --worker-image R, --redis-image R
  --kubeconfig FILE   where the context is found`;

export class UsageError extends Error {}

/** Throws `UsageError` with a sentence for options that make no sense. */
export function parseDemoOptions(argv: readonly string[]): DemoOptions {
  const { values } = parse(argv);
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 100_000)
    throw new UsageError(`--jobs must be a whole number from 1 to 100000, not ${values.jobs}`);
  const images = { operator: values['operator-image'], worker: values['worker-image'], redis: values['redis-image'] };
  return {
    help: values.help,
    json: values.json,
    keep: values.keep,
    jobs,
    name: values.name,
    ...(values.context === undefined ? {} : { context: values.context }),
    ...(values.kubeconfig === undefined ? {} : { kubeconfig: values.kubeconfig }),
    images: Object.fromEntries(Object.entries(images).filter(([, image]) => image !== undefined)),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        jobs: { type: 'string', default: '400' },
        name: { type: 'string', default: 'demo' },
        context: { type: 'string' },
        kubeconfig: { type: 'string' },
        'operator-image': { type: 'string' },
        'worker-image': { type: 'string' },
        'redis-image': { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
