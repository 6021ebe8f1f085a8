import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

describe('awp', () => {
  it('ends in silence when nobody reads on, as in awp … | head', async () => {
    const awp = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'simulate', '--help']);
    awp.stdout.destroy();
    const said = text(awp.stderr);
    expect(await once(awp, 'close')).toEqual([0, null]);
    expect(await said).toBe('');
  }, 60_000);
});
