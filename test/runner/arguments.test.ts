import { describe, expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';

const namesOf = (...argv: string[]) => parseArguments(argv).suites.map(({ name }) => name);

describe('the command line of npm test', () => {
  it('runs everything but the long tests when nothing is named', () => {
    expect(namesOf()).toEqual(['check', 'unit', 'contract', 'integration', 'load', 'e2e']);
    expect(parseArguments([])).toMatchObject({ everything: true, forVitest: [] });
  });

  it('runs the named suites in their own order, each once', () => {
    expect(namesOf('e2e', 'unit', 'e2e')).toEqual(['unit', 'e2e']);
    expect(parseArguments(['long'])).toMatchObject({ everything: false, suites: [{ name: 'long' }] });
  });

  it('takes a context and hands everything after the dashes to vitest', () => {
    const request = parseArguments(['--context', 'kind-a', 'e2e', '--', 'scale', '-t', 'to zero']);
    expect(request).toMatchObject({
      context: 'kind-a',
      suites: [{ name: 'e2e' }],
      forVitest: ['scale', '-t', 'to zero'],
    });
    expect(parseArguments(['e2e', '--context=kind-a'])).toMatchObject({ context: 'kind-a' });
  });

  it.each([[['units']], [['--context']], [['--context=']], [['-t', 'name']]])(
    'refuses %j and says what it knows',
    (argv) => {
      expect(() => parseArguments(argv)).toThrow(/usage: npm test .*check \| unit/);
    },
  );
});
