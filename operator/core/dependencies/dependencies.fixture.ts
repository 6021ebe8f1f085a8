import { known, type Millis, unknown } from '../known.ts';
import type { Check, CheckResult, ReplicaCheck } from './check.ts';
import { type DependencyInput, type DependencyMemory, FIRST_DEPENDENCY_MEMORY, judge, type Verdict } from './judge.ts';

const GOOD: CheckResult = { ok: true };
const OUT: CheckResult = { ok: false, kind: 'Outage', because: 'answers 503' };
const REFUSED: CheckResult = { ok: false, kind: 'Refused', because: 'refuses the key (401)' };

/** One letter a replica: `g`ood, `o`ut, `r`efused, `-` silent. */
export const replicasOf = (letters: string, at: Millis): readonly ReplicaCheck[] =>
  Array.from(letters, (letter, i) => ({
    uid: `uid-${i}`,
    name: `pod-${i}`,
    templateHash: 'a',
    check: checkOf(letter, at),
  }));

const checkOf = (letter: string, at: Millis): Check => {
  switch (letter) {
    case 'g':
      return known(GOOD, at);
    case 'o':
      return known(OUT, at);
    case 'r':
      return known(REFUSED, at);
    default:
      return unknown('does not answer');
  }
};

export type Look = Readonly<{ operator: string; replicas: string; over?: Partial<DependencyInput> }>;

/** A dependency that is looked at every ten seconds, its checks made at the same moment. */
export class Watched {
  now: Millis = 1_000_000;
  memory: DependencyMemory = FIRST_DEPENDENCY_MEMORY;

  look({ operator, replicas, over = {} }: Look): Verdict {
    this.now += 10_000;
    const verdict = judge({
      now: this.now,
      name: 'supabase',
      mode: 'Required',
      operator: checkOf(operator, this.now),
      replicas: replicasOf(replicas, this.now),
      failureThreshold: 3,
      replicaFreshMs: 32_000,
      rollingOut: false,
      backlog: false,
      memory: this.memory,
      ...over,
    });
    this.memory = verdict.memory;
    return verdict;
  }

  /** The same look `times` in a row; the last verdict. */
  keep(times: number, look: Look): Verdict {
    for (let i = 1; i < times; i += 1) this.look(look);
    return this.look(look);
  }
}
