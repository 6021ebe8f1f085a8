import { describe, expect, it } from 'vitest';
import { parseExposition } from '../queue/exposition.ts';
import { queueOf, reportOf, WANTED_SERIES } from './gauges.ts';

const LINES = [
  'bullmq_job_count{queue="q",state="waiting"} 5',
  'bullmq_job_count{queue="q",state="prioritized"} 2',
  'bullmq_job_count{queue="q",state="active"} 3',
  'bullmq_job_count{queue="q",state="delayed"} 10',
  'bullmq_job_count{queue="q",state="failed"} 1',
  'bullmq_queue_overdue_jobs{queue="q"} 4',
  'bullmq_queue_paused{queue="q"} 0',
  'bullmq_queue_known{queue="q"} 1',
  'bullmq_queue_oldest_job_age_seconds{queue="q"} 12.3456',
  'bullmq_queue_concurrency_limit{queue="q"} 40',
  'bullmq_queue_rate_limit_jobs{queue="q"} 100',
  'bullmq_queue_rate_limit_period_seconds{queue="q"} 60',
  'bullmq_queue_rate_limit_remaining_seconds{queue="q"} 0.5',
  'bullmq_worker_active_jobs{queue="q"} 3',
  'bullmq_worker_active_jobs_age_seconds{queue="q"} 4.5',
  'bullmq_worker_concurrency{queue="q"} 25',
  'process_start_time_seconds 1795566812',
  '# TYPE bullmq_job_duration_seconds histogram',
  'bullmq_job_duration_seconds_sum{queue="q"} 30.5',
  'bullmq_job_duration_seconds_count{queue="q"} 6',
];

const exposition = (lines: readonly string[]) => parseExposition(`${lines.join('\n')}\n`, { keep: WANTED_SERIES });
const without = (part: string) => exposition(LINES.filter((line) => !line.startsWith(part)));
const withLine = (...lines: string[]) => exposition([...LINES, ...lines]);

describe('the gauges of a replica', () => {
  it('become a report on itself and a snapshot of its queue', () => {
    expect(reportOf(exposition(LINES), 'q', 7)).toEqual({
      ok: true,
      at: 7,
      value: {
        active: 3,
        slots: 25,
        processStart: 1795566812,
        durationSum: 30.5,
        durationCount: 6,
        runningSeconds: 4.5,
      },
    });
    expect(queueOf(exposition(LINES), 'q', 7)).toEqual({
      ok: true,
      at: 7,
      value: {
        ready: 11,
        active: 3,
        delayed: 6,
        failed: 1,
        paused: false,
        concurrency: 40,
        rateLimit: { max: 100, durationMs: 60_000 },
        limitedForMs: 500,
        oldestWaitMs: 12_346,
        exists: true,
        source: 'Workers',
      },
    });
  });

  it.each([
    'bullmq_job_count{queue="q",state="waiting"}',
    'bullmq_job_count{queue="q",state="prioritized"}',
    'bullmq_job_count{queue="q",state="active"}',
    'bullmq_job_count{queue="q",state="delayed"}',
    'bullmq_job_count{queue="q",state="failed"}',
    'bullmq_queue_overdue_jobs{queue="q"}',
    'bullmq_queue_paused{queue="q"}',
    'bullmq_queue_known{queue="q"}',
    'bullmq_queue_concurrency_limit{queue="q"}',
    'bullmq_queue_rate_limit_jobs{queue="q"}',
    'bullmq_queue_rate_limit_period_seconds{queue="q"}',
    'bullmq_queue_rate_limit_remaining_seconds{queue="q"}',
  ])('make the queue unknown, never empty, when %s is missing', (series) => {
    expect(queueOf(without(series), 'q', 7)).toEqual({ ok: false, because: `${series} is missing` });
  });

  it.each([
    'bullmq_worker_active_jobs{queue="q"}',
    'bullmq_worker_concurrency{queue="q"}',
    'process_start_time_seconds',
  ])('make the report unknown when %s is missing', (series) => {
    expect(reportOf(without(series), 'q', 7)).toEqual({ ok: false, because: `${series} is missing` });
  });

  it('of another queue are not those of this one', () => {
    expect(queueOf(exposition(LINES), 'other', 7)).toMatchObject({ ok: false });
    expect(reportOf(exposition(LINES), 'other', 7)).toMatchObject({ ok: false });
    expect(queueOf(withLine('bullmq_queue_paused{queue="other"} 1'), 'q', 7)).toMatchObject({ ok: true });
  });

  it.each([
    ['NaN', 'NaN'],
    ['+Inf', 'Infinity'],
    ['-1', '-1'],
  ])('are unknown as %s', (text, said) => {
    const lines = LINES.map((line) => (line.startsWith('bullmq_queue_overdue') ? line.replace(/\d+$/, text) : line));
    expect(queueOf(exposition(lines), 'q', 7)).toEqual({
      ok: false,
      because: `bullmq_queue_overdue_jobs{queue="q"} is ${said}`,
    });
  });

  it('are unknown when a series is there twice, since either may be wrong', () => {
    const twice = withLine('bullmq_queue_paused{queue="q",shard="2"} 1');
    expect(queueOf(twice, 'q', 7)).toMatchObject({ ok: false, because: expect.stringContaining('2 times') });
  });

  it('say that no job has ended yet when the histogram is declared and has no series', () => {
    const lines = LINES.filter((line) => !line.includes('bullmq_job_duration'));
    expect(reportOf(exposition(lines), 'q', 7)).toMatchObject({ ok: false });
    const declared = exposition([...lines, '# TYPE bullmq_job_duration_seconds histogram']);
    expect(reportOf(declared, 'q', 7)).toMatchObject({ ok: true, value: { durationSum: 0, durationCount: 0 } });
  });

  it('have no limit where the gauges say 0, and no age of running jobs where another image does not tell it', () => {
    const zero = LINES.map((line) => line.replace(/(limit\w*\{.*\}) .*/, '$1 0'));
    const { value } = queueOf(exposition(zero), 'q', 7) as { value: object };
    expect(Object.keys(value)).not.toContain('concurrency');
    expect(Object.keys(value)).not.toContain('rateLimit');
    expect(Object.keys(value)).not.toContain('limitedForMs');
    const report = reportOf(without('bullmq_worker_active_jobs_age'), 'q', 7);
    expect(report).toMatchObject({ ok: true, value: { active: 3 } });
    expect(report).not.toHaveProperty('value.runningSeconds');
  });

  it('add up the durations where the histogram has more labels', () => {
    const more = withLine(
      'bullmq_job_duration_seconds_sum{queue="q",name="n"} 1',
      'bullmq_job_duration_seconds_count{queue="q",name="n"} 2',
    );
    expect(reportOf(more, 'q', 7)).toMatchObject({ ok: true, value: { durationSum: 31.5, durationCount: 8 } });
  });

  it('have no oldest wait when nothing waits, and need none', () => {
    const nothing = exposition(
      LINES.map((line) =>
        line.replace(/(waiting|prioritized|overdue_jobs.*)("?}) \d+/, '$1$2 0').replace(/(overdue_jobs.*) \d+/, '$1 0'),
      ),
    );
    expect(queueOf(nothing, 'q', 7)).toMatchObject({ ok: true, value: { ready: 0 } });
    expect(queueOf(nothing, 'q', 7)).not.toHaveProperty('value.oldestWaitMs');
    expect(queueOf(without('bullmq_queue_oldest'), 'q', 7)).toMatchObject({ ok: true });
  });

  it('never say that fewer than no jobs are delayed, when the two counts were read one after the other', () => {
    const lines = LINES.map((line) => line.replace('state="delayed"} 10', 'state="delayed"} 3'));
    expect(queueOf(exposition(lines), 'q', 7)).toMatchObject({ ok: true, value: { delayed: 0 } });
  });

  it('are unknown where they say more than a status can hold', () => {
    const [age] = LINES.filter((line) => line.startsWith('bullmq_worker_active_jobs_age'));
    const lines = LINES.map((line) => (line === age ? line.replace('4.5', '5e293') : line));
    expect(reportOf(exposition(lines), 'q', 7)).toMatchObject({
      ok: false,
      because: expect.stringContaining('5e+293'),
    });
  });

  it.each(['2.5', '1e12'])('are unknown where %s is no number of jobs, which the status could not hold', (value) => {
    const changed = (name: string) =>
      exposition(LINES.map((line) => (line.startsWith(name) ? line.replace(/ \S+$/, ` ${value}`) : line)));
    const because = expect.stringContaining(`is ${Number(value)}, which is no number of jobs`);
    expect(queueOf(changed('bullmq_job_count'), 'q', 7)).toEqual({ ok: false, because });
    expect(queueOf(changed('bullmq_queue_overdue_jobs'), 'q', 7)).toEqual({ ok: false, because });
    expect(reportOf(changed('bullmq_worker_active_jobs{'), 'q', 7)).toEqual({ ok: false, because });
  });
});
