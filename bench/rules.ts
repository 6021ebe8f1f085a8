// What our rule and KEDA's make of loads that neither was fitted to: made up from seeds, simulated, three runs each.
import { compareRules } from '../cli/simulate/comparison.ts';
import { readPoolFile } from '../cli/simulate/pool-file.ts';
import { keda } from '../cli/simulate/rules/keda.ts';
import { ours } from '../cli/simulate/rules/ours.ts';
import type { Rule } from '../cli/simulate/rules/rule.ts';
import { SHAPES, synthesize } from '../test/fixtures/traces/synthetic.ts';
import { defineBench, type Figure } from './harness.ts';

const SEEDS = [1, 2, 3];
const COLD_START_MS = 30_000;
/** KEDA as a team runs it that gives its pods an hour to end: nothing is killed, and replicas stay longer. */
const patientKeda: Rule = { ...keda, name: 'patient keda', graceMs: 3_600_000 };

const FIGURES = [
  { id: 'hours', unit: 'of the replica-hours of KEDA' },
  { id: 'hours_of_patient', unit: 'of the replica-hours of KEDA with a grace of 1 h' },
  { id: 'over_target', unit: 'of the jobs' },
  { id: 'keda_over_target', unit: 'of the jobs' },
  { id: 'killed', unit: 'jobs' },
  { id: 'keda_killed', unit: 'jobs' },
] as const satisfies readonly Figure[];

export const bench = defineBench({
  name: 'rules',
  figures: Object.keys(SHAPES).flatMap((shape) =>
    FIGURES.map(({ id, unit }) => ({ id: `rules.${shape}_${id}`, unit })),
  ),
  run: async ({ record, say, signal }) => {
    const pool = await readPoolFile('deploy/samples/llm-agents.yaml');
    const roomy = { ...pool, spec: { ...pool.spec, scaling: { ...pool.spec.scaling, maxReplicas: 200 } } };
    for (const shape of Object.keys(SHAPES)) {
      for (const seed of SEEDS) {
        if (signal.aborted) return;
        say(`${shape}, seed ${seed}`);
        const input = { trace: synthesize(shape, seed), pool: roomy, coldStartMs: COLD_START_MS, seed };
        const [mine, theirs, patient] = compareRules({ ...input, rules: [ours, keda, patientKeda] }).rules;
        if (mine === undefined || theirs === undefined || patient === undefined) return;
        const values: Record<(typeof FIGURES)[number]['id'], number> = {
          hours: mine.replicaHours / theirs.replicaHours,
          hours_of_patient: mine.replicaHours / patient.replicaHours,
          over_target: mine.overTarget,
          keda_over_target: theirs.overTarget,
          killed: mine.jobsKilled,
          keda_killed: theirs.jobsKilled,
        };
        for (const [id, value] of Object.entries(values)) record(`rules.${shape}_${id}`, value);
      }
    }
  },
});
