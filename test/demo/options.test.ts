import { describe, expect, it } from 'vitest';
import { parseDemoOptions } from './options.ts';

describe('the options of the demo', () => {
  it('need nothing to be said', () => {
    expect(parseDemoOptions([])).toEqual({
      help: false,
      json: false,
      keep: false,
      jobs: 400,
      name: 'demo',
      images: {},
    });
  });

  it('can point at a cluster and images of your own', () => {
    const options = parseDemoOptions(['--context', 'kind', '--worker-image', 'example.com/worker:1', '--json']);
    expect(options).toMatchObject({ context: 'kind', json: true, images: { worker: 'example.com/worker:1' } });
  });

  it.each([
    [['--jobs', 'many'], '--jobs must be a whole number from 1 to 100000, not many'],
    [['--jobs', '0'], '--jobs must be a whole number'],
    [['--kepp'], "Unknown option '--kepp'"],
  ])('%j are refused with a sentence', (argv, sentence) => {
    expect(() => parseDemoOptions(argv)).toThrow(sentence);
  });
});
