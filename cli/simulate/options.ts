import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../operator/api/duration.ts';
import { hpa } from './rules/hpa.ts';
import { keda } from './rules/keda.ts';
import { knative } from './rules/knative.ts';
import { ours } from './rules/ours.ts';
import type { Rule } from './rules/rule.ts';

export const ALL_RULES: readonly Rule[] = [ours, hpa, keda, knative];

const DAY_MS = 86_400_000;

/** `ours,keda`: each known, each once, in the order that was asked for. */
export function parseRules(text: string): readonly Rule[] {
  const names = text.split(',').map((name) => name.trim());
  const known = ALL_RULES.map(({ name }) => name).join(', ');
  return [...new Set(names)].map((name) => {
    const rule = ALL_RULES.find((each) => each.name === name);
    if (rule === undefined) throw new InvalidArgumentError(`there is no rule "${name}"; there are: ${known}`);
    return rule;
  });
}

export function parseLength(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms > DAY_MS)
    throw new InvalidArgumentError('it must be a duration up to 24h, such as 30s or 1m30s');
  return ms;
}

export function parseShare(text: string): number {
  const share = text.trim() === '' ? Number.NaN : Number(text);
  if (!(share > 0 && share <= 1)) throw new InvalidArgumentError('it must be above 0 and at most 1');
  return share;
}

export function parseSeed(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('it must be a whole number, 0 or more');
  return Number(text);
}
