import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onPath, run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { arch, cacheDir } from '../paths.ts';
import { silent } from '../progress.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SUITES = ['bookworm', 'sid'];
const ACQUIRE = /^Acquire::(?:https?::|Check-|ForceIPv)/;
const FRESH_MS = 24 * 3_600_000;

const readIfThere = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** The first Debian mirror in apt's own sources, in either of its two formats; undefined if there is none. */
export const mirrorIn = (sources: string): string | undefined => {
  for (const line of sources.split('\n')) {
    const match = /^\s*URIs:\s*(\S+)/.exec(line) ?? /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)/.exec(line);
    const uri = match?.[1];
    if (uri && /\/debian\/?$/.test(uri)) return uri;
  }
  return undefined;
};

const mirror = async (): Promise<string> => {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const files = ['/etc/apt/sources.list', ...parts.filter((name) => /\.(list|sources)$/.test(name))];
  const texts = await Promise.all(files.map((name) => readIfThere(join('/etc/apt/sources.list.d', name))));
  const found = mirrorIn([await readIfThere('/etc/apt/sources.list'), ...texts].join('\n'));
  if (!found) throw new Error('no Debian mirror in the sources of apt on this machine');
  return found;
};

/** How this machine's apt reaches its mirrors: proxies, checks of a mirror's age. The rest of its configuration is not ours to run. */
const acquireSettings = async (): Promise<string> => {
  const all = await run('apt-config', ['dump']);
  return all
    .split('\n')
    .filter((line) => ACQUIRE.test(line))
    .join('\n');
};

/** apt with lists, cache, sources and status of its own: nothing of the machine's own apt is changed. */
const privateApt = async (): Promise<NodeJS.ProcessEnv> => {
  if (!onPath('apt-get') || !onPath('dpkg-deb')) throw new Error('apt-get and dpkg-deb are not on this machine');
  const home = join(cacheDir(), 'apt');
  await mkdir(join(home, 'lists', 'partial'), { recursive: true });
  await mkdir(join(home, 'archives', 'partial'), { recursive: true });
  const uri = await mirror();
  await writeFile(
    join(home, 'sources.list'),
    SUITES.map((suite) => `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`).join(''),
  );
  await writeFile(join(home, 'status'), '', { flag: 'a' }); // a file: with /dev/null apt would keep no cache
  const config = join(home, 'apt.conf');
  await writeFile(
    config,
    `Dir::Etc::Parts "/dev/null"; Dir::Etc::Main "/dev/null";
Dir::Etc::SourceList "${home}/sources.list"; Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";
Dir::State "${home}"; Dir::State::Lists "${home}/lists"; Dir::State::Status "${home}/status";
Dir::Cache "${home}"; Dir::Cache::Archives "${home}/archives";
APT::Sandbox::User "root"; APT::Architecture "${arch.go}"; APT::Architectures {"${arch.go}";};
Acquire::Languages "none"; Acquire::Retries "3";
${await acquireSettings()}
`,
  );
  return { ...process.env, APT_CONFIG: config, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
};

const updateLists = async (env: NodeJS.ProcessEnv): Promise<void> => {
  const marker = join(cacheDir(), 'apt', 'updated');
  const age =
    Date.now() -
    (await stat(marker).then(
      (entry) => entry.mtimeMs,
      () => 0,
    ));
  if (age < FRESH_MS) return;
  await run('apt-get', ['update', '-q'], { env });
  await writeFile(marker, '');
};

/** Downloads packages of one suite, checked by apt against Debian's signatures, and unpacks them below `root`. */
export const unpackDebian = async (suite: string, packages: readonly string[], root: string): Promise<void> => {
  const debs = join(root, '.debs');
  await mkdir(debs, { recursive: true });
  // apt's lists and cache are one for all tools, and apt refuses a second user instead of waiting
  await withLock(join(cacheDir(), 'locks', 'apt'), silent, async () => {
    const env = await privateApt();
    await updateLists(env);
    await run('apt-get', ['download', '-q', ...packages.map((name) => `${name}/${suite}`)], { cwd: debs, env });
  });
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['-x', join(debs, deb), root]);
};
