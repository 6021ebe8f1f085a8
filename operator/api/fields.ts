import { z } from 'zod';
import { DURATION_PATTERN, formatDuration, type Millis, parseDuration } from './duration.ts';
import { INT32_MAX } from './names.ts';
import { celString, type Rule, withRules } from './rules.ts';

/** A whole number that Kubernetes keeps in 32 bits. */
export const int32 = (min: number, max = INT32_MAX) => z.number().int().min(min).max(max).meta({ format: 'int32' });

/** A moment as Kubernetes writes it: RFC 3339, in UTC. */
export const moment = () => z.iso.datetime({ offset: true }).max(64);

/** A name of another object in the pool's namespace. */
export const objectName = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

const NEARLY = '^[0-9]{1,6} *(s(ec(ond)?s?)?|m(in(ute)?s?)?|h(ou)?rs?|h)$';
const nearly = new RegExp(NEARLY);
const FIX = 'write a number and its unit without a space, like 30s, 15m, 1h or 1m30s';

/** `5 minutes` is told to be written `5m`; what cannot be guessed is told how durations are written. */
const explainDuration = (text: string): string => {
  const fix = nearly.test(text) ? `write ${/[0-9]+/.exec(text)?.[0]}${/[smh]/.exec(text)?.[0]}` : FIX;
  return `'${text}' is not a duration: ${fix}`;
};

const isDuration: Rule<string> = {
  cel: `size(self) > 0 && self.matches(${celString(DURATION_PATTERN)})`,
  holds: (text) => parseDuration(text) !== undefined,
  message: `not a duration: ${FIX}`,
  celMessage:
    `"'" + self + "' is not a duration: " + (self.matches(${celString(NEARLY)}) ? ` +
    `"write " + self.find('[0-9]+') + self.find('[smh]') : ${celString(FIX)})`,
  explain: explainDuration,
};

/** A length of time as text, from `min` to `max` milliseconds. */
export const durationBetween = (field: string, min: Millis, max: Millis) => {
  const [shortest, longest] = [formatDuration(min), formatDuration(max)];
  return withRules(z.string().max(32), [
    isDuration,
    {
      // The pattern is asked again because duration() fails on other text, which would hide the sentence above.
      cel:
        `!self.matches(${celString(DURATION_PATTERN)}) || size(self) == 0 || ` +
        `(duration(self) >= duration('${shortest}') && duration(self) <= duration('${longest}'))`,
      holds: (text) => {
        const millis = parseDuration(text);
        return millis === undefined || (millis >= min && millis <= max);
      },
      message: `${field} must be between ${shortest} and ${longest}`,
    },
  ]);
};

/** Names one value of a Secret. */
export const secretKeyRef = z.object({
  name: objectName().describe("Name of a Secret in the pool's own namespace."),
  key: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[-._a-zA-Z0-9]+$/)
    .describe('Key in the Secret.'),
});
