import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TokenFile } from './token-file.ts';

const OLD = 'the-old-token-of-the-pool';
const NEW = 'the-new-token-of-the-pool';
const CHANGED_AT = Date.UTC(2026, 0, 1);

let dir = '';
let path = '';
let now = CHANGED_AT;
let file: TokenFile;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'awp-token-'));
  path = join(dir, 'token');
  now = CHANGED_AT;
  file = new TokenFile(path, () => now);
});

afterEach(() => rm(dir, { recursive: true }));

const write = async (text: string, changedAt = CHANGED_AT) => {
  await writeFile(path, text);
  await utimes(path, changedAt / 1000, changedAt / 1000);
};

it('takes the token of the file, with or without a line end, and no other', async () => {
  await write(`${NEW}\n`);
  expect(await file.check(NEW)).toBe('right');
  for (const given of [undefined, '', ' ', OLD, `${NEW}x`, NEW.slice(1), NEW.toUpperCase(), `${NEW}\n`]) {
    expect([given, await file.check(given)]).toEqual([given, 'wrong']);
  }
});

it('takes each of several tokens', async () => {
  await write(`${NEW}\r\n\n${OLD}`);
  expect([await file.check(NEW), await file.check(OLD)]).toEqual(['right', 'right']);
});

it('reads the file anew at each check, and takes the old token for two minutes after the change of the file', async () => {
  await write(OLD, CHANGED_AT - 3_600_000);
  expect(await file.check(OLD)).toBe('right');
  await write(NEW);
  now = CHANGED_AT + 119_000;
  expect([await file.check(NEW), await file.check(OLD)]).toEqual(['right', 'right']);
  now = CHANGED_AT + 121_000;
  expect([await file.check(NEW), await file.check(OLD)]).toEqual(['right', 'wrong']);
});

it('does not take an old token when the change is noticed only after the two minutes', async () => {
  await write(OLD, CHANGED_AT - 3_600_000);
  await file.check(undefined);
  await write(NEW);
  now = CHANGED_AT + 121_000;
  expect(await file.check(OLD)).toBe('wrong');
});

it('takes back a token that returns to the file, also after its two minutes', async () => {
  await write(OLD);
  await file.check(OLD);
  await write(NEW);
  await file.check(NEW);
  await write(OLD);
  now = CHANGED_AT + 600_000;
  expect([await file.check(OLD), await file.check(NEW)]).toEqual(['right', 'wrong']);
});

it.each(['', '\n', 'too-short\n', ' '.repeat(40)])('lets nobody in by a file that holds %j', async (text) => {
  await write(text);
  expect([await file.check(undefined), await file.check(''), await file.check(text.trim())]).toEqual([
    'unavailable',
    'unavailable',
    'unavailable',
  ]);
});

it('lets nobody in without a file, and takes its token once there is one', async () => {
  expect(await file.check(NEW)).toBe('unavailable');
  await write(NEW);
  expect(await file.check(NEW)).toBe('right');
});
