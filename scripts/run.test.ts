import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

/** Stands in for `npm ci`: empties node_modules, then puts Node, and last its own account there, as npm does. */
const FAKE_NPM = `
const fs = require('node:fs');
fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
fs.rmSync('node_modules', { recursive: true, force: true });
const mode = process.env.FAKE_NPM ?? '';
if (mode === 'fail') process.exit(7);
fs.mkdirSync('node_modules/node/bin', { recursive: true });
if (mode !== 'without node') fs.symlinkSync(process.execPath, 'node_modules/node/bin/node');
setTimeout(() => {
  fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
}, mode === 'slow' ? 500 : 0);
if (mode === 'hang') setInterval(() => {}, 1000);
`;

const lockfile = (version: string) =>
  JSON.stringify({ packages: { 'node_modules/a': { version, integrity: `sha512-${version}` } } });

type Wrapper = ChildProcessByStdio<null, Readable, Readable>;

let root = '';
let running: Wrapper[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'run-'));
  mkdirSync(join(root, 'scripts'));
  copyFileSync(join(import.meta.dirname, 'run.mjs'), join(root, 'scripts', 'run.mjs'));
  write('npm-cli.js', FAKE_NPM);
  write('package-lock.json', lockfile('1.0.0'));
  write('hello.mjs', "console.log('hello', process.argv.slice(2).join(' '));");
});

afterEach(() => {
  for (const wrapper of running) wrapper.kill('SIGKILL');
  running = [];
  rmSync(root, { recursive: true, force: true });
});

const write = (file: string, content: string) => writeFileSync(join(root, file), content);
const has = (file: string) => existsSync(join(root, file));
const installations = () => (has('npm-calls') ? readFileSync(join(root, 'npm-calls'), 'utf8').trim().split('\n') : []);
const until = (what: () => void) => vi.waitFor(what, { timeout: 10_000, interval: 20 });

function start(script: string, options: { arguments?: string[]; npm?: string } = {}): Wrapper {
  const wrapper = spawn(process.execPath, [join(root, 'scripts', 'run.mjs'), script, ...(options.arguments ?? [])], {
    env: { ...process.env, npm_execpath: join(root, 'npm-cli.js'), FAKE_NPM: options.npm ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(wrapper);
  return wrapper;
}

async function endOf(wrapper: Wrapper) {
  const [[code], stdout, stderr] = await Promise.all([
    once(wrapper, 'exit') as Promise<[number | null]>,
    text(wrapper.stdout),
    text(wrapper.stderr),
  ]);
  return { code, stdout, stderr };
}

const run = (...input: Parameters<typeof start>) => endOf(start(...input));

describe('a start from a fresh clone', () => {
  it('installs first, then runs the script with its arguments and leaves stdout to it', async () => {
    const end = await run('hello.mjs', { arguments: ['a', 'b c'] });
    expect(end).toMatchObject({ code: 0, stdout: 'hello a b c\n', stderr: expect.stringMatching(/^installing .*\n/) });
    expect(installations()).toEqual([expect.stringMatching(/^ci --include=dev/)]);
  });

  it('installs nothing the second time, and again when the lockfile has changed', async () => {
    await run('hello.mjs');
    expect(await run('hello.mjs')).toMatchObject({ code: 0, stderr: '' });
    expect(installations()).toHaveLength(1);
    write('package-lock.json', lockfile('2.0.0'));
    await run('hello.mjs');
    expect(installations()).toHaveLength(2);
  });

  it('takes what `npm install` has put there by hand for installed', async () => {
    await run('hello.mjs');
    write('package-lock.json', lockfile('2.0.0'));
    write('node_modules/.package-lock.json', lockfile('2.0.0'));
    await run('hello.mjs');
    expect(installations()).toHaveLength(1);
  });

  it('repeats an installation that failed, and says so', async () => {
    const failed = await run('hello.mjs', { npm: 'fail' });
    expect(failed).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('npm ci failed (exit code 7)'),
    });
    expect(await run('hello.mjs')).toMatchObject({ code: 0, stdout: 'hello \n' });
  });

  it('repeats an installation that was interrupted', async () => {
    const wrapper = start('hello.mjs', { npm: 'hang' });
    await until(() => expect(has('node_modules/.package-lock.json')).toBe(true));
    wrapper.kill('SIGINT');
    expect(await endOf(wrapper)).toMatchObject({ code: 130, stdout: '' });
    rmSync(join(root, 'node_modules/.package-lock.json'));
    expect(await run('hello.mjs')).toMatchObject({ code: 0, stdout: 'hello \n' });
    expect(installations()).toHaveLength(2);
  });

  it('installs once when two start at the same time', async () => {
    const ends = await Promise.all([run('hello.mjs', { npm: 'slow' }), run('hello.mjs', { npm: 'slow' })]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    expect(ends.map(({ stderr }) => stderr).join('')).toContain('waiting for another start');
    expect(installations()).toHaveLength(1);
  });

  it('takes over the lock of an installation that was killed', async () => {
    mkdirSync(join(root, '.install.lock'));
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(join(root, '.install.lock'), longAgo, longAgo);
    expect(await run('hello.mjs')).toMatchObject({ code: 0, stdout: 'hello \n' });
    expect(has('.install.lock')).toBe(false);
  });

  it('says what to do when install scripts are switched off and Node is missing', async () => {
    const end = await run('hello.mjs', { npm: 'without node' });
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('npm rebuild node --ignore-scripts=false') });
  });
});

describe('a script that runs', () => {
  const COUNTS_SIGNALS = `
    let seen = 0;
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal, ++seen));
    setInterval(() => {}, 1000);
    console.log('ready');
    process.on('SIGUSR2', () => process.exit(5));
    console.log(process.pid);`;

  const firstLines = async (wrapper: Wrapper) => {
    let output = '';
    wrapper.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(() => expect(output.split('\n').length).toBeGreaterThan(2));
    return { output: () => output, pid: Number(output.split('\n')[1]) };
  };

  it('passes its exit code on', async () => {
    write('fails.mjs', 'process.exitCode = 3;');
    expect(await run('fails.mjs')).toMatchObject({ code: 3 });
  });

  it('passes on the signal that ended it as 128 + its number', async () => {
    write('dies.mjs', "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);");
    expect(await run('dies.mjs')).toMatchObject({ code: 143 });
  });

  it('gets a Ctrl-C once that npm and the terminal both deliver, and ends in its own time', async () => {
    write('counts.mjs', COUNTS_SIGNALS);
    const wrapper = start('counts.mjs');
    const script = await firstLines(wrapper);
    wrapper.kill('SIGINT');
    wrapper.kill('SIGINT');
    // Signals that wait together have no order.
    await until(() => expect(script.output()).toContain('SIGINT'));
    wrapper.kill('SIGTERM');
    await until(() => expect(script.output()).toContain('SIGTERM'));
    process.kill(script.pid, 'SIGUSR2');
    expect(await once(wrapper, 'exit')).toEqual([5, null]);
    expect(script.output().match(/^SIG.*$/gm)).toEqual(['SIGINT 1', 'SIGTERM 2']);
  });

  it('is asked to end when the wrapper is killed without a word', async () => {
    write('cleans.mjs', `${COUNTS_SIGNALS} process.on('SIGTERM', () => process.exit());`);
    const wrapper = start('cleans.mjs');
    const script = await firstLines(wrapper);
    wrapper.kill('SIGKILL');
    await until(() => expect(() => process.kill(script.pid, 0)).toThrow('ESRCH'));
    await until(() => expect(script.output()).toContain('SIGTERM 1'));
  });

  it('is asked to end when npm is, although the shell between them passes nothing on', async () => {
    write('cleans.mjs', `${COUNTS_SIGNALS} process.on('SIGTERM', () => process.exit());`);
    const shell = spawn('sh', ['-c', `"${process.execPath}" scripts/run.mjs cleans.mjs; true`], {
      cwd: root,
      env: { ...process.env, npm_execpath: join(root, 'npm-cli.js'), npm_lifecycle_event: 'test' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(shell);
    const script = await firstLines(shell);
    shell.kill('SIGTERM');
    await until(() => expect(() => process.kill(script.pid, 0)).toThrow('ESRCH'));
    // Its last words can arrive after its end.
    await until(() => expect(script.output()).toContain('SIGTERM 1'));
  });
});
