import { describe, expect, it } from 'vitest';
import { findWrongArrows, parseImports } from './import-arrows.ts';

const importing = (path: string, statement: string) => findWrongArrows([{ path, text: `${statement}\n` }]);

describe('the arrows of the layout', () => {
  it.each([
    ['operator/core/sizing.ts', "import { store } from '../kube/store.ts';"],
    ['operator/core/deep/down/sizing.ts', "import type { Store } from '../../../kube/store.ts';"],
    ['operator/core/sizing.ts', "import { parsePool } from '../api/parse.ts';"],
    ['operator/core/sizing.ts', "import { readFile } from 'node:fs/promises';"],
    ['operator/core/sizing.ts', "import type { V1Pod } from '@kubernetes/client-node';"],
    ['operator/core/sizing.ts', "const redis = await import('ioredis');"],
    ['operator/core/sizing.test.ts', "import { store } from '../kube/store.ts';"],
    ['operator/core/sizing.ts', "import { it } from 'vitest';"],
    ['operator/core/sizing.ts', "export * from '../observe/view.ts';"],
    ['operator/observe/queue/read.ts', "import { apply } from '../../act/apply.ts';"],
    ['operator/observe/queue/read.ts', "import { Config } from '../../config.ts';"],
    ['operator/act/apply.ts', "import { view } from '../observe/view.ts';"],
    ['operator/kube/deep/store.ts', "import { decide } from '../../core/decide.ts';"],
    ['operator/kube/store.ts', "import { Queue } from 'bullmq';"],
    ['operator/loop/controller.ts', "import type { Pool } from '../api/pool.ts';"],
    ['operator/http/server.ts', "import { loop } from '../loop/controller.ts';"],
    ['operator/api/pool.ts', "import { known } from '../core/known.ts';"],
    ['operator/telemetry/log.ts', "import { known } from '../core/known.ts';"],
    ['operator/config.ts', "import { log } from './telemetry/log.ts';"],
    ['worker/main.ts', "import { names } from '../operator/api/names.ts';"],
    ['worker/main.ts', "import { V1Pod } from '@kubernetes/client-node';"],
    ['worker/main.ts', "import { startRedis } from '../test/fixtures/redis.ts';"],
    ['cli/main.ts', "import { apply } from '../operator/act/apply.ts';"],
  ])('refuse in %s: %s', (path, statement) => {
    expect(importing(path, statement)).toEqual([expect.stringContaining(`${path}:1 imports `)]);
  });

  it.each([
    ['operator/main.ts', "import { controller } from './loop/controller.ts';"],
    ['operator/config.test.ts', "import { readConfig } from './config.ts';"],
    ['operator/core/deep/sizing.ts', "import { known } from '../known.ts';"],
    ['operator/core/sizing.ts', "import type { Pool } from '../api/pool.ts';"],
    ['operator/core/sizing.ts', "import { type Pool, type Queue } from '../api/pool.ts';"],
    ['operator/core/sizing.ts', "import { POOL_LABEL } from '../api/names.ts';"],
    ['operator/core/sizing.test.ts', "import { parsePool } from '../api/parse.ts';"],
    ['operator/core/sizing.test.ts', "import fc from 'fast-check';"],
    ['operator/observe/view.ts', "import { known } from '../core/known.ts';"],
    ['operator/act/apply.ts', "import { transport } from '../kube/transport.ts';"],
    ['operator/http/server.ts', "import { view } from '../observe/view.ts';"],
    ['operator/loop/controller.ts', "import { backoff } from '../kube/backoff.ts';"],
    ['worker/runtime.test.ts', "import { startRedis } from '../test/fixtures/redis.ts';"],
    ['test/e2e/scale.test.ts', "import { decide } from '../../operator/core/decide.ts';"],
  ])('allow in %s: %s', (path, statement) => {
    expect(importing(path, statement)).toEqual([]);
  });

  it('ask of a new folder of the operator that it has a place in the layout', () => {
    expect(findWrongArrows([{ path: 'operator/extra/a.ts', text: '' }])).toEqual([
      expect.stringContaining('operator/extra/a.ts is in none of the rooms'),
    ]);
  });
});

describe('reading the imports of a file', () => {
  it('sees every form that an import or a re-export can take, with its line', () => {
    const text = [
      "import a from 'one';",
      "import type { B } from 'two';",
      'import {',
      '  type C,',
      '  d,',
      "} from 'three';",
      "import 'four';",
      "export { e } from 'five';",
      "export type * from 'six';",
      "  const f = await import('seven');",
      'import {',
      '  type G,',
      "} from 'eight';",
    ].join('\n');
    expect(parseImports(text).map(({ specifier, typeOnly, line }) => `${line} ${specifier} ${typeOnly}`)).toEqual([
      '1 one false',
      '2 two true',
      '3 three false',
      '7 four false',
      '8 five false',
      '9 six true',
      '10 seven false',
      '11 eight true',
    ]);
  });

  it('takes no exported value or sentence for an import', () => {
    const text = ["export const a = 'from';", "export type B = 'x';", '// import nothing', "const from = 'y';"].join(
      '\n',
    );
    expect(parseImports(text)).toEqual([]);
  });
});
