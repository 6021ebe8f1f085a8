import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { clearScene } from '../demo/scene.ts';
import { installOperator } from '../fixtures/stage/install.ts';
import { type Stage, stageOfTests } from '../fixtures/stage/stage.ts';

const project = resolve(import.meta.dirname, '../..');

/** Runs the demo as a person would who has a cluster, and returns its exit code and the last line of stdout. */
function demo(args: readonly string[]): Promise<{ code: number | null; last: string; progress: string }> {
  return new Promise((settle) => {
    const child = spawn(process.execPath, [join(project, 'test/demo/main.ts'), '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let progress = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (progress += chunk.toString()));
    child.once('close', (code) => settle({ code, last: out.trim().split('\n').at(-1) ?? '', progress }));
  });
}

/** What is in the cluster, once all that the files before this one deleted is gone. */
function settled(stage: Stage): Promise<string> {
  const phases = ['get', 'namespaces', '-o', 'jsonpath={.items[*].status.phase}'];
  return until(
    async () => {
      if ((await stage.kubectl.run(phases)).includes('Terminating')) return false;
      return stage.kubectl.run(['get', 'namespaces,crds,deployments', '-A', '-o', 'name']);
    },
    { what: 'every namespace that was deleted is gone' },
  );
}

it('the demo refuses a cluster that is in use untouched, runs on any other, loses no job and takes away what it brought', async (ctx) => {
  const { AWP_KUBECONFIG: kubeconfig, AWP_CLUSTER: cluster } = process.env;
  if (cluster === undefined || cluster === '' || kubeconfig === undefined)
    return ctx.skip('this run is on a foreign cluster itself');
  const stage = stageOfTests();
  const context = (await stage.kubectl.run(['config', 'current-context'])).trim();
  const { operator, worker, redis } = stage.images;
  const there = ['--kubeconfig', kubeconfig, '--context', context];
  await installOperator(stage);
  const before = await settled(stage);
  const refused = await demo(there);
  expect({ code: refused.code, said: refused.progress.trim().split('\n').at(-1) }).toEqual({
    code: 1,
    said: expect.stringMatching(/^this cluster is in use: it has namespace\/agent-worker-pool, .*agentworkerpools/),
  });
  expect(await stage.kubectl.run(['get', 'namespaces,crds,deployments', '-A', '-o', 'name'])).toBe(before);

  await clearScene(stage);
  const images = ['--operator-image', operator, '--worker-image', worker, '--redis-image', redis];
  const { code, last, progress } = await demo([...there, '--jobs', '40', ...images]);
  expect({ code, progress: code === 0 ? '' : progress }).toEqual({ code: 0, progress: '' });
  expect(JSON.parse(last)).toMatchObject({ jobs: 40, jobsLost: 0, jobsRunTwice: 0, peakReplicas: 4 });
  const left = await stage.kubectl.run(['get', 'namespaces,crds,clusterroles', '-o', 'name']);
  expect(left.split('\n').filter((name) => /agent-?worker-?pool|namespace\/demo$/.test(name))).toEqual([]);
  // Files that come after this one find the operator again.
  await installOperator(stage);
  await stage.close();
});
