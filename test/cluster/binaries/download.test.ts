import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestIn, download, isReachable } from './download.ts';

const PROGRAM = '#!/bin/sh\necho hello\n';
const sha256 = createHash('sha256').update(PROGRAM).digest('hex');
const sha512 = createHash('sha512').update(PROGRAM).digest('hex');

const files: Record<string, string> = {
  '/v1/tool': PROGRAM,
  '/v1/tool.sha256': sha256,
  '/v1/tool.sha512': `${sha512}  tool\n`,
  '/v1/tool.wrong': `${'0'.repeat(64)}  tool\n`,
  '/v1/tool.empty': '',
};

let server: Server;
let base = '';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-download-'));
  server = createServer((request, response) => {
    const body = files[request.url ?? ''];
    response.writeHead(body === undefined ? 404 : 200).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const fetched = (checksum: string) =>
  download({ url: `${base}/tool`, checksumUrl: `${base}/tool.${checksum}`, kind: 'program' }, folder);

describe('a download', () => {
  it.each(['sha256', 'sha512'])('is kept, as a program, when its %s agrees', async (kind) => {
    await fetched(kind);
    expect(await readFile(join(folder, 'tool'), 'utf8')).toBe(PROGRAM);
    expect((await stat(join(folder, 'tool'))).mode & 0o777).toBe(0o755);
    await rm(join(folder, 'tool'));
  });

  it.each([
    ['wrong', 'has the checksum'],
    ['empty', 'names no checksum for tool'],
    ['missing', 'answered 404'],
  ])('is not written when its checksum is %s', async (checksum, message) => {
    await expect(fetched(checksum)).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is given up at once where nothing answers', async () => {
    const start = performance.now();
    expect(await isReachable('https://no-such-host.invalid/file')).toBe(false);
    expect(await isReachable('http://127.0.0.1:1/file')).toBe(false);
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(await isReachable(`${base}/tool`)).toBe(true);
  });
});

describe('a checksum file', () => {
  it('may list many files, in a signed message too', () => {
    const text = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${sha256} *runc.amd64\n${'1'.repeat(64)} *runc.arm64\n`;
    expect(digestIn(text, 'runc.arm64')).toBe('1'.repeat(64));
    expect(digestIn(text, 'runc.s390x')).toBeUndefined();
  });

  it('may name the file with its folder', () => {
    expect(digestIn(`${sha256}  ./release/tool.tgz`, 'tool.tgz')).toBe(sha256);
  });
});
