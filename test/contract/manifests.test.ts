import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../cluster/exec.ts';
import { programOf, refusal } from '../fixtures/programs.ts';
import { helm as helmTool } from '../tools/catalog.ts';
import { type Api, connect, installCrd, type KubeObject } from './api-server.ts';

const names = ['agents', 'agent-worker-pool'];
const namespaces = names.map((name): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
const samples = readdirSync('deploy/samples').toSorted();

let api: Api;

beforeAll(async () => {
  api = connect();
  await installCrd(api);
  for (const namespace of namespaces) await api.apply(namespace);
});
afterAll(async () => {
  await api.remove(namespaces[0] as KubeObject);
  await api.close();
});

const STRICT = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-o', 'name'];

/** What the API server would make of manifests; it refuses fields that it does not know. */
const tried = async (manifests: string): Promise<readonly string[]> =>
  (await run('kubectl', [...STRICT, '-f', '-'], { input: manifests })).trim().split('\n');

describe('the API server takes, under strict validation,', () => {
  it.each(samples)('the sample %s', async (sample) => {
    const made = await run('kubectl', [...STRICT, '-f', `deploy/samples/${sample}`]);
    expect(made).toContain('agentworkerpool.agentpool.dev/');
  });

  it.each(['base', 'overlays/dev', 'overlays/prod', 'namespaced'])('deploy/%s', async (folder) => {
    const made = await tried(await run('kubectl', ['kustomize', `deploy/${folder}`]));
    expect(made).toContain('deployment.apps/agent-worker-pool');
    if (folder === 'overlays/prod') expect(made).toContain('poddisruptionbudget.policy/agent-worker-pool');
  });

  it('everything that the chart can make', async (ctx) => {
    const helm = await programOf(helmTool, ctx);
    const values = [
      ['networkPolicy.operator.enabled', 'true'],
      ['networkPolicy.operator.allowNamespaces', '{agents}'],
      ['networkPolicy.workers.enabled', 'true'],
      ['networkPolicy.workers.namespaces', '{agents}'],
      ['networkPolicy.workers.allowCIDRs', '{10.1.0.0/16}'],
      ['rbac.secretNamespaces', '{agents}'],
      ['samplePool.enabled', 'true'],
      ['commonLabels.team', 'agents'],
      ['commonAnnotations.owner', 'me'],
    ].flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const release = ['template', 'agent-worker-pool', 'charts/agent-worker-pool', '-n', 'agent-worker-pool'];
    const made = await tried(await helm(...release, '--kube-version', '1.36.4', '--skip-tests', ...values));
    expect(made.map((line) => line.split('/')[0])).toEqual(
      expect.arrayContaining([
        'agentworkerpool.agentpool.dev',
        'clusterrole.rbac.authorization.k8s.io',
        'deployment.apps',
        'networkpolicy.networking.k8s.io',
        'poddisruptionbudget.policy',
      ]),
    );
    const crds = await helm('template', 'crds', 'charts/agent-worker-pool-crds', '--kube-version', '1.36.4');
    expect(await tried(crds)).toEqual(['customresourcedefinition.apiextensions.k8s.io/agentworkerpools.agentpool.dev']);
  });

  it('and refuses a sample with a field that it does not know, so that it is not the test that is lenient', async () => {
    const wrong = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'agents' },
      spec: { fynalizers: [] },
    });
    expect(await refusal(run('kubectl', [...STRICT, '-f', '-'], { input: wrong }))).toContain('fynalizers');
  });
});
