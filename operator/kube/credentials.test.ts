import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentialsFromKubeConfig } from './credentials.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const write = (file: string, text: string): string => {
  writeFileSync(join(folder, file), text);
  return join(folder, file);
};
const kubeconfigFor = (user: object): string =>
  write(
    'config.json',
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://api.test', 'insecure-skip-tls-verify': true } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user }],
      'current-context': 'x',
    }),
  );
const sourceFor = (user: object) => credentialsFromKubeConfig({ kubeconfig: kubeconfigFor(user), maxAgeMs: 0 });

describe('credentials', () => {
  it('are refused with what to do where there is neither a kubeconfig nor a service account', async () => {
    vi.stubEnv('HOME', folder);
    vi.stubEnv('KUBECONFIG', undefined);
    await expect(credentialsFromKubeConfig().get()).rejects.toThrow('no API server to speak to: set KUBECONFIG');
  });

  it('follow a changed kubeconfig', async () => {
    const source = sourceFor({ token: 'one' });
    expect((await source.get()).headers.authorization).toBe('Bearer one');
    kubeconfigFor({ token: 'token-two' });
    expect(await source.get()).toMatchObject({
      server: 'https://api.test',
      headers: { authorization: 'Bearer token-two' },
    });
  });

  it('follow a token file, as a service account has one, within a minute, and at once after a refusal', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const tokenFile = write('token', 'one');
    const source = sourceFor({ 'auth-provider': { name: 'tokenFile', config: { tokenFile } } });
    expect((await source.get()).headers.authorization).toBe('Bearer one');
    write('token', 'two');
    vi.advanceTimersByTime(61_000);
    expect((await source.get()).headers.authorization).toBe('Bearer two');
    write('token', 'three');
    expect((await source.renew()).headers.authorization).toBe('Bearer three');
  });

  it('follow a client certificate and its key', async () => {
    const [certificate, key] = [write('tls.crt', 'first certificate'), write('tls.key', 'first key')];
    const source = sourceFor({ 'client-certificate': certificate, 'client-key': key });
    expect((await source.get()).tls).toMatchObject({ cert: 'first certificate', key: 'first key' });
    write('tls.crt', 'second certificate');
    write('tls.key', 'second key');
    expect((await source.get()).tls).toMatchObject({ cert: 'second certificate', key: 'second key' });
  });

  it('run an exec plugin again when its token has ended, and at once after a refusal', async () => {
    const plugin = write(
      'plugin.mjs',
      `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
      const file = new URL('./runs', import.meta.url);
      const runs = (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0) + 1;
      writeFileSync(file, String(runs));
      const expirationTimestamp = new Date(runs === 1 ? Date.now() - 1000 : Date.now() + 3_600_000).toISOString();
      const status = { token: 'run-' + runs, expirationTimestamp };
      console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }));`,
    );
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [plugin] };
    const source = sourceFor({ exec: { ...exec, interactiveMode: 'Never' } });
    expect((await source.get()).headers.authorization).toBe('Bearer run-1');
    expect((await source.get()).headers.authorization).toBe('Bearer run-2');
    expect((await source.get()).headers.authorization).toBe('Bearer run-2');
    expect((await source.renew()).headers.authorization).toBe('Bearer run-3');
  });

  it('are read once for all who ask at the same moment', async () => {
    const source = credentialsFromKubeConfig({ kubeconfig: kubeconfigFor({ token: 'one' }) });
    const [a, b] = await Promise.all([source.get(), source.get()]);
    expect(a).toBe(b);
  });
});
