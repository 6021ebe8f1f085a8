import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';

type Report = Readonly<{
  message?: string;
  error?: Readonly<{ summary?: string }>;
  vulnerabilities?: Readonly<Record<string, Readonly<{ severity: string; via: readonly unknown[] }>>>;
}>;

/** npm's report; it ends with 1 both when it finds something and when the registry does not answer. */
const audit = (): Promise<Report> =>
  new Promise((resolve) => {
    const args = ['audit', '--audit', '--omit=dev', '--json', '--fetch-retries=0', '--fetch-timeout=20000'];
    execFile('npm', args, { timeout: 40_000 }, (_error, stdout) => {
      resolve(stdout.trim() === '' ? { message: 'npm said nothing' } : (JSON.parse(stdout) as Report));
    });
  });

it('no package that runs in production has a known fault of high or critical severity', async (ctx) => {
  const { message, error, vulnerabilities } = await audit();
  if (vulnerabilities === undefined) {
    return ctx.skip(`the registry does not answer npm audit: ${message ?? error?.summary ?? 'no reason given'}`);
  }
  const severe = Object.entries(vulnerabilities).filter(([, { severity }]) => /^(?:high|critical)$/.test(severity));
  expect(severe.map(([name, { severity }]) => `${name}: ${severity}`)).toEqual([]);
});
