import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkGenerated, writeGenerated } from './generate.ts';

const CRD = 'crds/agentpool.dev_agentworkerpools.yaml';

describe('generated files', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'generate-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('are written once and left alone while they are right', async () => {
    expect(await writeGenerated(root)).toContain(`wrote ${CRD}`);
    expect(await writeGenerated(root)).toEqual([]);
    expect(await checkGenerated(root)).toEqual([]);
  });

  it('say where they come from and how to make them', async () => {
    await writeGenerated(root);
    expect(await readFile(path.join(root, CRD), 'utf8')).toMatch(
      /^# Generated from operator\/api by npm run generate; do not edit\.\napiVersion: apiextensions/,
    );
  });

  it('that are missing are named with the command that makes them', async () => {
    expect(await checkGenerated(root)).toContain(`${CRD} is missing: run npm run generate and commit it`);
  });

  it('that were edited by hand are named with the command that makes them', async () => {
    await writeGenerated(root);
    await appendFile(path.join(root, CRD), '# by hand\n');
    expect(await checkGenerated(root)).toEqual([
      `${CRD} is not what operator/api says: run npm run generate and commit it`,
    ]);
  });

  it('of this checkout are up to date, and the command says so by its exit code', () => {
    const script = path.join(import.meta.dirname, 'generate.ts');
    const run = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});
