import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CommandError, onPath, run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { arch, cacheDir } from '../paths.ts';
import type { Progress } from '../progress.ts';
import type { Tool } from './catalog.ts';
import { unpackDebian } from './debian.ts';
import { download, isReachable } from './download.ts';
import { buildGo } from './gobuild.ts';
import { wrapperOf } from './wrapper.ts';

/** No source gave the programs; the message says what was tried. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
}

/** Absolute paths by program name. */
export type Programs = ReadonlyMap<string, string>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const answerOf = (path: string, args: readonly string[]): Promise<string> =>
  run(path, args, { timeoutMs: 5_000 }).catch((error: unknown) => {
    if (error instanceof CommandError) return '';
    throw error;
  });

const fromPath = async (tool: Tool): Promise<Programs | undefined> => {
  if (!tool.path) return undefined;
  const { ask, accept } = tool.path;
  const found = tool.programs.flatMap((program) => {
    const path = onPath(program);
    return path ? [[program, path] as const] : [];
  });
  if (found.length < tool.programs.length) return undefined;
  const answers = await Promise.all(found.map(([program, path]) => answerOf(path, ask(program))));
  return answers.every((answer) => accept.test(answer)) ? new Map(found) : undefined;
};

const homeOf = (tool: Tool): string => join(cacheDir(), 'tools', `${tool.name}-${tool.version}-${arch.go}`);

const inHome = (tool: Tool, home: string): Programs =>
  new Map(tool.programs.map((program) => [program, join(home, 'bin', program)]));

const walk = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
};

/** Puts every program of the tool, wherever its archive had it, into bin/. */
const gather = async (tool: Tool, home: string, final: string): Promise<void> => {
  const files = await walk(join(home, 'files'));
  await mkdir(join(home, 'bin'), { recursive: true });
  for (const program of tool.programs) {
    const names = [program, `${program}.${arch.go}`]; // runc's releases are called so
    const file = files.find((path) => names.includes(basename(path)));
    if (!file) throw new Error(`the archive has no ${program}`);
    await symlink(file.replace(home, final), join(home, 'bin', program));
  }
};

/** Debian's programs find the libraries that came with them, and the system's for the rest. */
const wrap = async (tool: Tool, home: string, final: string): Promise<void> => {
  if (tool.make.by !== 'debian') return;
  const { folders } = tool.make;
  await mkdir(join(home, 'bin'), { recursive: true });
  for (const program of tool.programs) {
    const inside = folders.map((folder) => join(folder, program)).find((path) => existsSync(join(home, 'files', path)));
    if (!inside) throw new Error(`the packages have no ${program}`);
    const files = join(final, 'files');
    const libraries = ['usr/lib', 'lib'].map((folder) => join(files, folder, arch.multiarch));
    const hasLibraries = ['usr/lib', 'lib'].some((folder) => existsSync(join(home, 'files', folder, arch.multiarch)));
    const target = join(home, 'bin', program);
    if (!hasLibraries) await symlink(join(files, inside), target);
    else {
      await writeFile(target, wrapperOf(join(files, inside), libraries));
      await chmod(target, 0o755);
    }
  }
};

const tryDownload = async (tool: Tool, home: string, progress: Progress): Promise<string | undefined> => {
  const [first] = tool.downloads;
  if (!first) return 'no official download';
  if (!(await isReachable(first.url))) return `${new URL(first.url).host} is out of reach`;
  try {
    await mkdir(join(home, 'files'), { recursive: true });
    for (const one of tool.downloads) {
      progress(`${tool.name} ${tool.version}: downloading ${one.url}`);
      await download(one, join(home, 'files'));
    }
    return undefined;
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    return messageOf(error);
  }
};

const makeTool = async (tool: Tool, home: string, progress: Progress): Promise<void> => {
  const files = join(home, 'files');
  await mkdir(files, { recursive: true });
  switch (tool.make.by) {
    case 'go':
      progress(`${tool.name} ${tool.version}: building from Go modules (${tool.make.takes})`);
      return buildGo(tool.make, files, progress);
    case 'debian':
      progress(`${tool.name} ${tool.version}: unpacking Debian's packages into the cache`);
      return unpackDebian(tool.make.suite, tool.make.packages, files);
  }
};

/** A program made for a newer system (Debian's sid moves) is found out here, and not by a cluster that hangs. */
const assertRuns = async (tool: Tool, final: string): Promise<void> => {
  const [first] = tool.programs;
  if (!tool.path || !first) return;
  try {
    await run(join(final, 'bin', first), tool.path.ask(first), { timeoutMs: 30_000 });
  } catch (error) {
    await rm(final, { recursive: true, force: true });
    throw error;
  }
};

/** Fills the cache. Everything happens in a folder of its own, whose last step is to be renamed: half a tool is none. */
const intoCache = async (tool: Tool, progress: Progress): Promise<void> => {
  const final = homeOf(tool);
  const home = `${final}.partial`;
  await rm(home, { recursive: true, force: true });
  const started = performance.now();
  const notDownloaded = await tryDownload(tool, home, progress);
  try {
    if (notDownloaded !== undefined) await makeTool(tool, home, progress);
    if (notDownloaded !== undefined && tool.make.by === 'debian') await wrap(tool, home, final);
    else await gather(tool, home, final);
    await rm(join(home, 'files', '.debs'), { recursive: true, force: true });
    await rename(home, final);
    await assertRuns(tool, final);
  } catch (cause) {
    throw new ToolUnavailable(
      `${tool.programs.join(', ')} (${tool.name} ${tool.version}): not on PATH in that version, not in the cache, ` +
        `not downloaded (${notDownloaded ?? 'archive unusable'}), not made here (${messageOf(cause)})`,
      { cause },
    );
  }
  progress(`${tool.name} ${tool.version}: ready in ${((performance.now() - started) / 1000).toFixed(1)} s`);
};

/**
 * The tool's programs: from PATH, from the cache, from the official addresses, else made from pinned Go modules or
 * Debian packages. Safe when interrupted and when run twice at once. Throws ToolUnavailable.
 */
export const acquire = async (tool: Tool, progress: Progress): Promise<Programs> => {
  const found = await fromPath(tool);
  if (found) return found;
  const home = homeOf(tool);
  if (!existsSync(home)) {
    await withLock(join(cacheDir(), 'locks', `tool-${tool.name}`), progress, async () => {
      if (!existsSync(home)) await intoCache(tool, progress);
    });
  }
  return inHome(tool, home);
};

/** All tools' programs in one map, fetched one after the other. */
export const acquireAll = async (tools: readonly Tool[], progress: Progress): Promise<Programs> => {
  const programs = new Map<string, string>();
  for (const tool of tools) {
    for (const [program, path] of await acquire(tool, progress)) programs.set(program, path);
  }
  return programs;
};
