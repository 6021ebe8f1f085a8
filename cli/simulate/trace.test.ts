import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrace, type Trace } from './trace.ts';

const ALL = { share: 1, seed: 1 };

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-trace-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string | Buffer, sampling = ALL): Promise<Trace> {
  const file = join(folder, 'trace.csv');
  await writeFile(file, text);
  return readTrace(file, { sampling });
}

describe('a trace of arrivals and durations', () => {
  it('is read in seconds from its first arrival, sorted', async () => {
    const { name, arrivals, durations } = await read('arrival,duration\n7.5,2\n5,0.25\n5,1e1\n');
    expect([...arrivals]).toEqual([0, 0, 2500]);
    expect([...durations]).toEqual([250, 10_000, 2000]);
    expect(name).toBe('trace.csv');
  });

  it('may have times, which keep their place in the day for schedules', async () => {
    const { startsAt, arrivals } = await read(
      'arrival,duration\n2026-03-01T10:00:00+02:00,1\n2026-03-01 08:00:01.5,1\n',
    );
    expect(new Date(startsAt).toISOString()).toBe('2026-03-01T08:00:00.000Z');
    expect([...arrivals]).toEqual([0, 1500]);
  });

  it.each([
    ['columns in another order, and more of them', 'id,duration,arrival\na,2,0\n'],
    ['no header', '0,2\n'],
    ['a byte order mark and the line ends of Windows', '\uFEFFarrival,duration\r\n0,2\r\n'],
    ['comments, empty lines and no last line end', '# made by hand\narrival,duration\n\n0,2'],
    ['quotes', '"arrival","duration"\n"0","2"\n'],
    ['a header in capitals', 'Arrival,Duration\n0,2\n'],
  ])('may have %s', async (_what, text) => {
    expect([...(await read(text)).durations]).toEqual([2000]);
  });

  it.each([
    [
      'a cell that is no number',
      'arrival,duration\n0,1\n\n# hm\n1,soon\n',
      'line 5: duration must be a number of seconds',
    ],
    ['a negative duration', 'arrival,duration\n0,-1\n', 'line 2: duration must be'],
    ['a negative arrival', 'arrival,duration\n-3,1\n', 'line 2: arrival must be'],
    ['an empty cell', 'arrival,duration\n0,\n', 'line 2: duration must be'],
    ['infinity', 'arrival,duration\n0,Infinity\n', 'line 2: duration must be'],
    ['a number too large for a number', 'arrival,duration\n1e999,1\n', 'line 2: an arrival of "1e999" is no number'],
    [
      'milliseconds',
      'arrival,duration\n1700000000000,1\n',
      'line 2: an arrival of "1700000000000" is no number of seconds',
    ],
    ['a day that no month has', 'arrival,duration\n2026-02-30 08:00:00,1\n', 'line 2: arrival must be a time such as'],
    ['a duration of years', 'arrival,duration\n0,1e9\n', 'line 2: a duration of 1e9 s is more than a year'],
    ['a missing column', 'arrival,duration\n0,1\n5\n', 'line 3: 1 column where arrival,duration has 2'],
    ['a column too many', 'arrival,duration\n0,1,2\n', 'line 2: 3 columns'],
    ['a time where numbers were', 'arrival,duration\n0,1\n2026-03-01 08:00:00,1\n', 'line 3: arrival must be a number'],
    ['an hour that is none', 'arrival,duration\n2026-03-01 28:00:00,1\n', 'line 2: arrival must be a time such as'],
    ['a stray quote', 'arrival,duration\n0,"1\n2,3\n', 'line 2: duration must be'],
    ['a first line that says nothing', 'when,what\n1,2\n', 'line 1: the first line must be `arrival,duration`'],
  ])('with %s is refused, and the line is named', async (_what, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('that is no text is refused at its first line, in bounded memory and without a terminal code', async () => {
    await expect(read(Buffer.alloc(1_000_000, 'a'))).rejects.toThrow('line 1: the line is too long to be a job');
    await expect(read('\u001B[31m\u0000\n1,2\n')).rejects.toThrow('not "\uFFFD[31m\uFFFD"');
  });

  it('says how far it is where the file has a size, and nothing of a pipe', async () => {
    const text = `arrival,duration\n${'0,1\n'.repeat(12_000)}`;
    const shares: number[] = [];
    const reading = { sampling: ALL, onProgress: (share: number) => shares.push(share) };
    const file = join(folder, 'long.csv');
    await writeFile(file, text);
    await readTrace(file, reading);
    expect(shares.length).toBe(2);
    const pipe = join(folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    const [{ arrivals }] = await Promise.all([readTrace(pipe, reading), writeFile(pipe, text)]);
    expect([arrivals.length, shares.length]).toEqual([12_000, 2]);
  });

  it('has a name without a terminal code', async () => {
    const file = join(folder, '\u001B[31mtrace.csv');
    await writeFile(file, 'arrival,duration\n0,1\n');
    expect((await readTrace(file, { sampling: ALL })).name).toBe('\uFFFD[31mtrace.csv');
  });

  it('that spans years, has no job, or is not there is refused', async () => {
    await expect(read('arrival,duration\n0,1\n1700000000,1\n')).rejects.toThrow('more than a year');
    await expect(read('arrival,duration\n')).rejects.toThrow('has no job');
    await expect(read('')).rejects.toThrow('has no job');
    await expect(readTrace(join(folder, 'none.csv'), { sampling: ALL })).rejects.toThrow('cannot be read: ENOENT');
    await expect(readTrace(folder, { sampling: ALL })).rejects.toThrow('is a folder');
    await expect(read('arrival,duration\n0,1\n', { share: 1e-9, seed: 1 })).rejects.toThrow('none of the 1 jobs');
  });
});

describe('a trace of LLM calls', () => {
  it('becomes jobs of 7.83 calls, each 2 ms a prompt token and 50 ms a generated one', async () => {
    const { startsAt, arrivals, durations } = await read(
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n',
    );
    expect(durations[0]).toBeCloseTo(7.83 * (9616 + 500), 6);
    expect(arrivals[1]).toBeCloseTo(52, 3);
    expect(new Date(startsAt).toISOString()).toBe('2023-11-16T18:17:03.979Z');
  });

  it.each([
    ['2023-11-16,1,2', 'TIMESTAMP must be a time such as'],
    ['2023-11-16 18:17:03,1.5,2', 'ContextTokens must be a whole number of tokens'],
    ['2023-11-16 18:17:03,1,', 'GeneratedTokens must be a whole number of tokens'],
  ])('names the line and the column of %s', async (row, message) => {
    const text = `TIMESTAMP,ContextTokens,GeneratedTokens\n${row}\n`;
    await expect(read(text)).rejects.toThrow(`line 2: ${message}`);
  });
});

describe('a sample', () => {
  const azure = join(import.meta.dirname, '../../test/fixtures/traces/azure-llm-2023-code.csv');

  it('keeps the rows whose hash of seed and row number is below the share', async () => {
    const { arrivals } = await readTrace(azure, { sampling: { share: 0.25, seed: 1 } });
    const again = await readTrace(azure, { sampling: { share: 0.25, seed: 1 } });
    const other = await readTrace(azure, { sampling: { share: 0.25, seed: 2 } });
    expect(arrivals.length).toBe(2263);
    expect(again.arrivals).toEqual(arrivals);
    expect(other.arrivals).not.toEqual(arrivals);
  });

  it('is checked as a whole: a malformed line is named although it is not kept', async () => {
    const rows = Array.from({ length: 50 }, (_, row) => `${row},1`).join('\n');
    await expect(read(`arrival,duration\n${rows}\n50,x\n`, { share: 0.01, seed: 1 })).rejects.toThrow('line 52');
  });
});
