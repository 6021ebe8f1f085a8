#!/usr/bin/env node
// `awp`, also as `kubectl awp`, from a checkout. Plain JavaScript for any Node since 18: run.mjs starts the command with
// the Node that the project installs. What `npm run build` makes, dist/awp.mjs, needs Node 24 and nothing else.
import { fileURLToPath } from 'node:url';

process.argv.splice(2, 0, fileURLToPath(new URL('main.ts', import.meta.url)));
await import('../scripts/run.mjs');
