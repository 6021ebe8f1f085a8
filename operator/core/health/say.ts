import type { Verdict } from '../dependencies/judge.ts';
import type { Budget } from '../restarts/plan.ts';
import type { Care } from './look-after.ts';

/** A condition before it is rendered. */
export type HealthFact = Readonly<{ status: 'True' | 'False' | 'Unknown'; reason: string; message: string }>;

/** Whether the pool's dependencies are well; the worst of them gives the reason, and each its sentence. */
export function sayDependencies({ verdicts }: Care): HealthFact {
  if (verdicts.length === 0) return { status: 'True', reason: 'NothingChecked', message: 'no dependency is checked' };
  const worst = verdicts.toSorted((a, b) => severityOf(a) - severityOf(b))[0];
  const message = verdicts.map((verdict) => verdict.message).join('. ');
  if (worst === undefined || isWell(worst)) return { status: 'True', reason: 'Healthy', message };
  const unknown = worst.sick === 'Unknown';
  return { status: unknown ? 'Unknown' : 'False', reason: reasonOf(worst), message };
}

const isWell = ({ sick, frozen }: Verdict): boolean => sick === 'Nobody' && !frozen;

const ORDER: readonly string[] = [
  'DependencyUnavailable',
  'ReplicasCannotReach',
  'ReplicaCannotReach',
  'OperatorCannotReach',
  'NotChecked',
  'Healthy',
];

const severityOf = (verdict: Verdict): number => ORDER.indexOf(reasonOf(verdict));

/** While the breaker is open its reason stands, whatever the last look alone would say. */
function reasonOf({ sick, memory }: Verdict): string {
  if (memory.breaker.state === 'Open') return memory.breaker.reason;
  switch (sick) {
    case 'DependencyUnavailable':
    case 'ReplicasCannotReach':
    case 'OperatorCannotReach':
      return sick;
    case 'Replica':
      return 'ReplicaCannotReach';
    case 'Unknown':
      return 'NotChecked';
    case 'Nobody':
      return 'Healthy';
  }
}

const BUDGET: Readonly<Record<Budget['state'], Pick<HealthFact, 'status' | 'reason'>>> = {
  Available: { status: 'True', reason: 'RetriesLeft' },
  Exhausted: { status: 'False', reason: 'Exhausted' },
  Off: { status: 'False', reason: 'RestartsAreOff' },
  Unknown: { status: 'Unknown', reason: 'NotSeenYet' },
};

export const sayBudget = ({ plan }: Care): HealthFact => ({
  ...BUDGET[plan.budget.state],
  message: plan.budget.message,
});
