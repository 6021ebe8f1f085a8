import { count } from '../sentence.ts';
import { type Breaker, GOOD_CHECKS } from './breaker.ts';
import { type Check, type DependencyMode, type DependencyName, titleOf } from './check.ts';
import type { Evidence } from './evidence.ts';

const FROZEN = 'nothing is restarted or removed and no more replicas are added until';

type Said = Readonly<{ evidence: Evidence; breaker: Breaker; mode: DependencyMode; reached: boolean }>;

/** The one sentence on a dependency, with its numbers. */
export function sayVerdict(name: DependencyName, { evidence, breaker, mode, reached }: Said): string {
  const title = titleOf(name);
  const consequence = sayConsequence(mode, reached);
  switch (evidence.sick) {
    case 'DependencyUnavailable':
      return `${title} ${reached ? 'is out' : 'was never reached yet'}: for the operator it ${causeOf(evidence.operator)}${sayReplicas(evidence)}${consequence}`;
    case 'ReplicasCannotReach':
      return `${failing(evidence)} cannot reach ${title} (${firstCause(evidence)}) ${sayOperator(evidence.operator)}: look at the credentials, the network policy and the pool limit of the workers${consequence}`;
    case 'OperatorCannotReach':
      return `the operator cannot reach ${title}: it ${causeOf(evidence.operator)}; ${count(evidence.counts.healthy, 'replica')} can, so its own way or key is broken`;
    case 'Replica':
      return (
        waiting(title, breaker) ??
        `${failing(evidence)} cannot reach ${title} (${firstCause(evidence)}); the operator can`
      );
    case 'Unknown':
      return `whether ${title} is well is unknown: ${evidence.operator.ok ? '' : evidence.operator.because}`;
    case 'Nobody':
      return (
        waiting(title, breaker) ?? `${title} answers the operator and ${count(evidence.counts.healthy, 'replica')}`
      );
  }
}

function sayConsequence(mode: DependencyMode, reached: boolean): string {
  if (mode !== 'Required') return '; it is optional, so this is only reported';
  return `; ${FROZEN} ${reached ? 'it is over' : 'it is reached'}`;
}

function waiting(title: string, breaker: Breaker): string | undefined {
  if (breaker.state === 'Closed') return undefined;
  return breaker.good < GOOD_CHECKS
    ? `${title} answers again; ${breaker.good} of ${GOOD_CHECKS} good checks of the operator`
    : `${title} answers the operator again; waiting for a replica that reaches it`;
}

const failing = ({ counts, total }: Evidence): string => `${counts.unhealthy} of ${count(total, 'replica')}`;

const causeOf = (check: Check): string => (check.ok && !check.value.ok ? check.value.because : 'is not checked yet');

const firstCause = ({ replicas }: Evidence): string =>
  replicas.flatMap(({ name, check }) => (check.ok && !check.value.ok ? [`${name}: ${check.value.because}`] : []))[0] ??
  '';

const sayOperator = (operator: Check): string =>
  operator.ok ? 'although the operator can' : `and the operator does not know (${operator.because})`;

const sayReplicas = (evidence: Evidence): string =>
  evidence.counts.unhealthy > 0 ? `, and ${failing(evidence)} cannot reach it either` : '';
