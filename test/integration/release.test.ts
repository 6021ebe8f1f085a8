import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { run } from '../cluster/exec.ts';
import { programOf } from '../fixtures/programs.ts';
import { actionlint as actionlintTool, helm as helmTool } from '../tools/catalog.ts';

const WORKFLOWS = '.github/workflows';

type Workflow = Readonly<{
  permissions?: object;
  jobs: Readonly<
    Record<
      string,
      Readonly<{ permissions?: Readonly<Record<string, string>>; steps: readonly Readonly<{ uses?: string }>[] }>
    >
  >;
}>;

const workflows = async (): Promise<readonly Workflow[]> =>
  Promise.all(
    (await readdir(WORKFLOWS)).map(async (file) => parse(await readFile(join(WORKFLOWS, file), 'utf8')) as Workflow),
  );

it('the workflows pass actionlint', async (ctx) => {
  const actionlint = await programOf(actionlintTool, ctx);
  const files = (await readdir(WORKFLOWS)).map((file) => join(WORKFLOWS, file));
  expect(await actionlint('-no-color', '-shellcheck=', '-pyflakes=', ...files)).toBe('');
});

it('the workflows use only actions that are named by commit, and each job has only the rights that it names', async () => {
  for (const { permissions, jobs } of await workflows()) {
    expect(permissions).toEqual({});
    for (const [name, job] of Object.entries(jobs)) {
      expect(job.permissions, name).toBeDefined();
      const used = job.steps.flatMap(({ uses }) => uses ?? []);
      expect(used.filter((action) => !/^[\w-]+\/[\w.-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
    }
  }
});

it('a dry release has charts, definition, parts and checksums, all of one version', async (ctx) => {
  const helm = await programOf(helmTool, ctx);
  const folder = await mkdtemp(join(tmpdir(), 'awp-release-'));
  try {
    const options = ['--no-images', '--folder', folder, '--registry', 'ghcr.example/somebody'];
    await run(process.execPath, ['scripts/release/main.ts', ...options]);
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect((await readdir(folder)).toSorted()).toEqual(
      [
        'NOTES.md',
        'SHA256SUMS',
        `agent-worker-pool-${version}.tgz`,
        `agent-worker-pool-crds-${version}.tgz`,
        'agentpool.dev_agentworkerpools.yaml',
        `operator-${version}.cdx.json`,
        `worker-${version}.cdx.json`,
      ].toSorted(),
    );
    expect(await run('sha256sum', ['--check', 'SHA256SUMS'], { cwd: folder })).not.toContain('FAILED');
    const rendered = await helm(
      'template',
      'r',
      join(folder, `agent-worker-pool-${version}.tgz`),
      '--kube-version',
      '1.29.0',
    );
    expect(rendered).toContain(`image: ghcr.example/somebody/operator:${version}`);
    expect(rendered).not.toContain('registry.local');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
