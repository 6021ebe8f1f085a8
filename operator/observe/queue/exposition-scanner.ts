/** Reads one line from left to right. Each reading method throws what `fail` makes when the line does not go on so. */
export type Scanner = Readonly<{
  atEnd: () => boolean;
  /** The next character, empty at the end. */
  peek: () => string;
  skipBlanks: () => void;
  expect: (character: string) => void;
  /** What stands before the next blank. */
  token: () => string;
  metricName: () => string;
  labelName: () => string;
  quoted: () => string;
  number: () => number;
  timestamp: () => void;
  fail: (problem: string) => never;
}>;

const METRIC_NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const TOKEN = /[^ \t\n]*/y;
const BLANKS = /[ \t]*/y;
/** Everything up to what needs a look: the quote, a backslash or the end of the line. */
const PLAIN = /[^"\\\n]*/y;

/** A token is cut off before it is matched: the two digit runs of a number would otherwise cost quadratic time. */
const LONGEST_NUMBER = 64;
const FINITE = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const TIMESTAMP = /^-?\d+(?:\.\d+)?$/;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', '"': '"', n: '\n' };

const numberOf = (token: string): number | undefined => {
  if (token.length > LONGEST_NUMBER) return undefined;
  if (FINITE.test(token)) return Number(token);
  const infinite = INFINITE.exec(token);
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity;
  return token.toLowerCase() === 'nan' ? NaN : undefined;
};

/** A line of `text` from `start` to `end`, where its line feed stands. */
type Line = Readonly<{ text: string; start: number; end: number; error: (problem: string) => Error }>;

export function lineScanner({ text, start, end, error }: Line): Scanner {
  let position = start;

  const fail = (problem: string): never => {
    throw error(`column ${position - start + 1}: ${problem}`);
  };
  const peek = (): string => (position < end ? (text[position] ?? '') : '');
  /** None of the patterns matches a line feed, so no match goes past the line. */
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0] ?? '';
    position += found.length;
    return found;
  };
  const named = (pattern: RegExp, what: string): string => take(pattern) || fail(`expected ${what}`);
  const expect = (character: string): void => {
    if (peek() !== character) fail(`expected ${character}`);
    position += 1;
  };
  const quoted = (): string => {
    expect('"');
    let value = take(PLAIN);
    while (peek() === '\\') {
      position += 1;
      value += ESCAPES[peek()] ?? fail('only \\\\, \\" and \\n may follow a backslash');
      position += 1;
      value += take(PLAIN);
    }
    expect('"');
    return value;
  };

  return {
    atEnd: () => position >= end,
    peek,
    skipBlanks: () => void take(BLANKS),
    expect,
    token: () => take(TOKEN),
    metricName: () => named(METRIC_NAME, 'the name of a metric'),
    labelName: () => named(LABEL_NAME, 'the name of a label'),
    quoted,
    number: () => numberOf(take(TOKEN)) ?? fail('expected a number'),
    timestamp: () => {
      const token = take(TOKEN);
      if (token.length > LONGEST_NUMBER || !TIMESTAMP.test(token)) fail('expected a timestamp');
    },
    fail,
  };
}
