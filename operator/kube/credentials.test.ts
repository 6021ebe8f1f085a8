import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { credentialsFromKubeConfig } from './credentials.ts';

afterEach(() => vi.unstubAllEnvs());

it('are refused with what to do where there is neither a kubeconfig nor a service account', async () => {
  const home = await mkdtemp(join(tmpdir(), 'home-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('KUBECONFIG', undefined);
  await expect(credentialsFromKubeConfig().get()).rejects.toThrow('no API server to speak to: set KUBECONFIG');
  await rm(home, { recursive: true });
});
