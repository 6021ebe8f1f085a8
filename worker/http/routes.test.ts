import { expect, it } from 'vitest';
import { prefersText } from './routes.ts';

it('gives text to a Prometheus server and JSON to everybody else', () => {
  const prometheus = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
  expect(
    [prometheus, 'text/plain', '*/*', 'application/json', 'text/html,*/*;q=0.8', undefined].map(prefersText),
  ).toEqual([true, true, false, false, false, false]);
});
