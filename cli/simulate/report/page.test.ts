import { describe, expect, it } from 'vitest';
import { samplePool } from '../../../operator/core/state.fixture.ts';
import { compareRules } from '../comparison.ts';
import { ALL_RULES } from '../options.ts';
import { burst, traceOf } from '../trace.fixture.ts';
import { renderReport } from './page.ts';

const reportOf = (name = 'jobs.csv', command = 'awp simulate'): string => {
  const trace = { ...traceOf(...burst(40, 0, 60), ...burst(20, 900, 400)), name };
  const pool = samplePool({ concurrency: 4 });
  return renderReport(compareRules({ trace, pool, rules: ALL_RULES, coldStartMs: 30_000, seed: 1 }), command);
};

describe('the page of a simulation', () => {
  it('loads nothing from anywhere, and forbids it', () => {
    const page = reportOf();
    expect(page).not.toMatch(/(?:src|href|url|import|@font-face)\s*[=(:]/);
    expect(page).not.toContain('http:');
    expect(page).not.toContain('https:');
    expect(page).toContain("default-src 'none'");
  });

  it('draws backlog and replicas of every rule on one axis', () => {
    const page = reportOf();
    expect(page.match(/<svg /g)).toHaveLength(1);
    for (const { name } of ALL_RULES) expect(page.split(`data-rule="${name}"`)).toHaveLength(3);
    expect(page).toContain('>Backlog<');
    expect(page).toContain('>Replicas<');
  });

  it('says the numbers without its script, and how to make it again', () => {
    const page = reportOf('jobs.csv', 'awp simulate --trace jobs.csv');
    expect(page).toMatch(/<th scope="row">.*ours<\/th><td>/);
    expect(page).toContain('<code>awp simulate --trace jobs.csv</code>');
  });

  it('shows a name as text, whatever it contains', () => {
    const page = reportOf('<img src=x onerror=alert(1)>.csv', '</code><script>alert(1)</script>');
    expect(page).not.toContain('<img');
    expect(page).not.toContain('</code><script>');
    expect(page).toContain('&lt;img src=x');
  });

  it('is for light and dark', () => {
    expect(reportOf()).toContain('@media (prefers-color-scheme: dark)');
  });
});
