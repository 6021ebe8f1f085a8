import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importBases, LOCAL } from './base-images.ts';
import type { Engine } from './engine.ts';

export type Built = Readonly<{ operator: string; worker: string }>;

const project = join(import.meta.dirname, '..', '..');
const REPOSITORY = 'registry.local/agent-worker-pool';

/**
 * Builds both images from the Dockerfile as the source is now, without a network, on bases that are made here. Their tag
 * is the project's version, which is that of the charts.
 */
export async function buildImages(engine: Engine): Promise<Built> {
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string };
  await importBases(engine);
  const options = [
    ['--network', 'none'],
    ['--provenance', 'false'],
    ['--build-arg', `BUILD_IMAGE=${LOCAL.build}`],
    ['--build-arg', `RUNTIME_IMAGE=${LOCAL.runtime}`],
    ['--build-arg', `VERSION=${version}`],
  ].flat();
  const built = { operator: `${REPOSITORY}/operator:${version}`, worker: `${REPOSITORY}/worker:${version}` };
  for (const target of ['operator', 'worker'] as const) {
    await engine.docker(['build', '--quiet', ...options, '--target', target, '--tag', built[target], project]);
  }
  // What no tag names any more: the images and steps of earlier sources.
  await engine.docker(['image', 'prune', '--force']);
  await engine.docker(['builder', 'prune', '--force', '--filter', 'until=72h']);
  return built;
}
