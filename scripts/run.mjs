// Runs one of the repository's scripts: `node scripts/run.mjs SCRIPT [argument ...]`.
//
// A fresh clone has no node_modules, and the machine's own Node may be older than the one that the project needs. So
// this file is plain JavaScript that any Node since 18 understands: it installs what package-lock.json says when that
// is missing or has changed, then starts SCRIPT with the Node that was installed. Progress goes to stderr, because
// stdout belongs to SCRIPT.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const binaries = join(modules, '.bin');
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const stampFile = join(modules, '.installed');
const lockFolder = join(root, '.install.lock');

/** The holder touches its lock this often; a lock untouched for LOCK_STALE_MS belongs to a process that was killed. */
const LOCK_TOUCH_MS = 1_000;
const LOCK_STALE_MS = 10_000;
/** npm runs a script through a shell, which dies of SIGTERM and passes it on to nobody: this often it is looked at. */
const SHELL_LOOK_MS = 500;
/** A terminal's Ctrl-C reaches this process directly and again through npm: within this time it is one signal. */
const SAME_SIGNAL_MS = 1_000;

const say = (line) => process.stderr.write(`${line}\n`);

class InstallFailed extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

function wantedStamp() {
  const lockfile = readFileSync(join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lockfile).digest('hex')} ${process.platform} ${process.arch}\n`;
}

function readOr(file, fallback) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback;
  }
}

/**
 * True when npm itself has installed exactly what the lockfile says, for example by `npm install` typed by hand. npm
 * writes its own account (`.package-lock.json`) last, so it is missing after an interrupted installation.
 */
function installedByHand() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const found = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages;
    const same = ([path, entry]) =>
      found[path] === undefined
        ? entry.optional === true || entry.devOptional === true || entry.peer === true
        : found[path].version === entry.version && found[path].integrity === entry.integrity;
    const known = Object.entries(wanted).filter(([path]) => path !== '');
    return existsSync(node) && known.every(same) && Object.keys(found).every((path) => path in wanted);
  } catch {
    return false;
  }
}

function isInstalled() {
  const stamp = wantedStamp();
  if (readOr(stampFile, '') === stamp) return existsSync(node);
  if (!installedByHand()) return false;
  writeFileSync(stampFile, stamp);
  return true;
}

/** One holder at a time. The lock is a folder beside node_modules, which `npm ci` empties. */
async function withInstallLock(task) {
  let told = false;
  while (!takeLock()) {
    if (!told) say('waiting for another start that installs the dependencies ...');
    told = true;
    await sleep(200);
    removeStaleLock();
  }
  const touch = setInterval(() => utimesSync(lockFolder, new Date(), new Date()), LOCK_TOUCH_MS);
  try {
    return await task();
  } finally {
    clearInterval(touch);
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

function takeLock() {
  try {
    mkdirSync(lockFolder);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function removeStaleLock() {
  try {
    if (Date.now() - statSync(lockFolder).mtimeMs < LOCK_STALE_MS) return;
    // Renaming is atomic: of several that wait, one removes it and the others find it gone.
    const aside = `${lockFolder}.${process.pid}`;
    renameSync(lockFolder, aside);
    // Another one may have removed the stale lock and taken its own between the two lines above: that one goes back.
    if (Date.now() - statSync(aside).mtimeMs < LOCK_STALE_MS) renameSync(aside, lockFolder);
    else rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

async function install() {
  const started = Date.now();
  say('installing the dependencies (package-lock.json is new or has changed) ...');
  // Without these two, whatever happens to this process or to npm from here on, the next start installs again.
  rmSync(stampFile, { force: true });
  rmSync(join(modules, '.package-lock.json'), { force: true });
  const options = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath ?? '';
  const byFile = /npm-cli\.[cm]?js$/.test(npm);
  const child = byFile
    ? spawn(process.execPath, [npm, ...options], { cwd: root, stdio: ['ignore', 2, 2] })
    : spawn('npm', options, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  const end = await waitFor(child);
  if (end > 128) throw new InstallFailed('interrupted; the next start installs again', end);
  if (end !== 0) throw new InstallFailed(`npm ci failed (exit code ${end}); its own message is above`);
  if (!existsSync(node)) {
    throw new InstallFailed(
      'npm ci left out the Node 24 of the devDependency "node": its install script did not run.\n' +
        'Allow it once with `npm rebuild node --ignore-scripts=false`, then start again.',
    );
  }
  writeFileSync(stampFile, wantedStamp());
  say(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/**
 * Resolves to the exit code of `child`, 128+n when signal n ended it. Meanwhile signals to this process go on to the
 * child, each press of Ctrl-C once, and to its whole process group where it leads one, as a terminal would do it.
 */
function waitFor(child, { group = false } = {}) {
  const lastSent = new Map();
  const pass = (signal) => {
    const now = Date.now();
    if (now - (lastSent.get(signal) ?? 0) < SAME_SIGNAL_MS) return;
    lastSent.set(signal, now);
    try {
      process.kill(group ? -child.pid : child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, pass);
  const shell = process.ppid;
  const look = setInterval(() => {
    if (process.env.npm_lifecycle_event === undefined || process.ppid === shell) return;
    clearInterval(look);
    pass('SIGTERM');
  }, SHELL_LOOK_MS);
  return new Promise((settle, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => {
      clearInterval(look);
      for (const each of signals) process.off(each, pass);
      settle(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/**
 * Loaded into the script's process: when this wrapper disappears without a word (SIGKILL), the script's process group
 * gets SIGTERM and can clean up. The processes that the script starts inherit the option, hence the look at the parent.
 */
const lifeline = `if (process.ppid === Number(process.env.RUN_WRAPPER_PID)) {
  process.on('disconnect', () => process.kill(0, 'SIGTERM'));
  process.channel?.unref();
}`;

async function runScript(script, scriptArguments) {
  const group = process.platform !== 'win32';
  const lifelineUrl = `data:text/javascript,${encodeURIComponent(lifeline)}`;
  const child = spawn(node, ['--import', lifelineUrl, script, ...scriptArguments], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: group,
    env: {
      ...process.env,
      PATH: [binaries, ...(process.env.PATH ?? '').split(delimiter).filter((entry) => entry !== binaries)].join(
        delimiter,
      ),
      RUN_WRAPPER_PID: String(process.pid),
    },
  });
  return waitFor(child, { group });
}

async function main() {
  const [script, ...scriptArguments] = process.argv.slice(2);
  if (script === undefined) {
    say('usage: node scripts/run.mjs SCRIPT [argument ...]');
    return 1;
  }
  if (!isInstalled()) {
    await withInstallLock(async () => {
      if (!isInstalled()) await install();
    });
  }
  return runScript(resolve(root, script), scriptArguments);
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof InstallFailed ? error.message : (error.stack ?? String(error)));
  process.exitCode = error.exitCode ?? 1;
}
