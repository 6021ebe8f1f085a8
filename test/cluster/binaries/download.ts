import { createHash } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { run } from '../exec.ts';
import type { Download } from './catalog.ts';

/** The file came, but it is not what its project says that it is. */
export class ChecksumError extends Error {
  override readonly name = 'ChecksumError';
}

const REACH_MS = 1_000;
const IDLE_MS = 60_000;

const reachable = new Map<string, Promise<boolean>>();

const probe = (url: URL): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) || (url.protocol === 'http:' ? 80 : 443) });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(REACH_MS, () => end(false));
    setTimeout(() => end(false), REACH_MS).unref(); // the socket's own limit does not cover a slow name server
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });

/** Whether the address's host answers at all, asked once for each host and at most for a second. */
export const isReachable = (address: string): Promise<boolean> => {
  const url = new URL(address);
  const known = reachable.get(url.host);
  if (known) return known;
  const answer = probe(url);
  reachable.set(url.host, answer);
  return answer;
};

const fetchBytes = async (url: string): Promise<Buffer> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(IDLE_MS * 5) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
};

/** The digest of `file` in a checksum file: alone, or in a line "digest  file"; signatures around it are ignored. */
export const digestIn = (checksums: string, file: string): string | undefined => {
  const lines = checksums
    .split('\n')
    .map((line) => /^([0-9a-f]{64}|[0-9a-f]{128})(?:\s+\*?(?:\S*\/)?(\S+))?\s*$/i.exec(line));
  const named = lines.find((match) => match?.[2] === file);
  const alone = lines.find((match) => match && match[2] === undefined);
  return (named ?? alone)?.[1]?.toLowerCase();
};

/** Downloads a program or unpacks an archive into `folder`, once its published checksum (SHA-256 or -512) agrees. */
export const download = async (what: Download, folder: string): Promise<void> => {
  const file = basename(new URL(what.url).pathname);
  const wanted = digestIn((await fetchBytes(what.checksumUrl)).toString('utf8'), file);
  if (!wanted) throw new ChecksumError(`${what.checksumUrl} names no checksum for ${file}`);
  const bytes = await fetchBytes(what.url);
  const digest = createHash(wanted.length === 64 ? 'sha256' : 'sha512')
    .update(bytes)
    .digest('hex');
  if (digest !== wanted) throw new ChecksumError(`${what.url} has the checksum ${digest}, and ${wanted} was published`);
  const target = join(folder, file);
  await writeFile(target, bytes);
  if (what.kind === 'tar.gz') await run('tar', ['-xzf', target, '-C', folder]);
  else await chmod(target, 0o755);
};
