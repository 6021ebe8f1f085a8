import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectDiagnostics } from './diagnostics.ts';

/** Prints two pods when asked for names, and otherwise what it was asked; it cannot tell of pools. */
const KUBECTL = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case "$*" in
  *jsonpath*) printf 'agent-worker-pool/operator-1\\nshop/worker-1\\n' ;;
  *agentworkerpools*) echo 'no such resource' >&2; exit 1 ;;
  *) echo "output of $*" ;;
esac
`;

let folder = '';
const collected: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'diagnostics-'));
  writeFileSync(join(folder, 'kubectl'), KUBECTL);
  chmodSync(join(folder, 'kubectl'), 0o755);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'kubelet.log'), `${'x'.repeat(300 * 1024)}the end`);
});

afterEach(() => {
  for (const each of [folder, ...collected.splice(0)]) rmSync(each, { recursive: true, force: true });
});

async function collect() {
  const source = { kubectl: join(folder, 'kubectl'), kubeconfig: 'config', logs: join(folder, 'logs') };
  const found = await collectDiagnostics(source);
  collected.push(found.folder);
  return { ...found, read: (file: string) => readFileSync(join(found.folder, file), 'utf8') };
}

describe('the diagnostics after a failure', () => {
  it('hold the objects, the events, the log of every pod and the end of the logs of the components', async () => {
    const { folder: target, read, lastLines } = await collect();
    expect(read('events.txt')).toContain('output of --kubeconfig config get events');
    expect(readdirSync(join(target, 'pods'))).toEqual(['agent-worker-pool_operator-1.log', 'shop_worker-1.log']);
    expect(lastLines).toMatch(/^output of .* logs -n agent-worker-pool operator-1 .*\n$/);
    expect(read('components/kubelet.log')).toMatch(/^x+the end$/);
    expect(read('components/kubelet.log').length).toBeLessThan(300 * 1024);
  });

  it('say in place of a view why it could not be had, and keep the others', async () => {
    expect((await collect()).read('pools.yaml')).toContain('no such resource');
  });

  it('never ask for a Secret', async () => {
    await collect();
    expect(readFileSync(join(folder, 'calls'), 'utf8')).not.toMatch(/secret|get all/i);
  });
});
