import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awp } from '../awp.ts';

const root = join(import.meta.dirname, '../..');
const AZURE = join(root, 'test/fixtures/traces/azure-llm-2023-code.csv');
const POOL = join(root, 'deploy/samples/llm-agents.yaml');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-simulate-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

/** What `awp simulate` prints; rejects with what it would end with. */
async function simulate(...options: string[]): Promise<{ out: string; err: string }> {
  const printed = { out: '', err: '' };
  const screen = {
    out: (text: string) => void (printed.out += text),
    terminal: { write: (text: string) => (printed.err += text) },
  };
  await awp(screen).parseAsync(['simulate', ...options], { from: 'user' });
  return printed;
}

const someJobs = () => file('jobs.csv', `arrival,duration\n${'0,10\n'.repeat(8)}300,20\n`);

describe('awp simulate', () => {
  it('prints a table with one line a rule', async () => {
    const { out, err } = await simulate('--trace', await someJobs(), '--pool', POOL);
    expect(out).toMatch(/^jobs\.csv: 9 jobs in 5 min, /);
    expect(out).toContain('4 slots a replica, 0 to 50 replicas, cold start 30 s, wait target 30 s');
    expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['ours', 'hpa', 'keda', 'knative']),
    );
    expect(err).toBe('');
  });

  it('prints one JSON object of the promised shape', async () => {
    const { out } = await simulate('--trace', await someJobs(), '--pool', POOL, '--json', '--rules', 'keda,ours');
    const { trace, jobs, rules } = JSON.parse(out) as { trace: string; jobs: number; rules: Record<string, unknown>[] };
    expect([trace, jobs]).toEqual(['jobs.csv', 9]);
    expect(rules.map(({ rule }) => rule)).toEqual(['keda', 'ours']);
    expect(Object.keys(rules[0] ?? {})).toEqual([
      'rule',
      'waitP50',
      'waitP95',
      'waitMax',
      'overTarget',
      'replicaHours',
      'idealReplicaHours',
      'directionChanges',
      'jobsKilled',
    ]);
    expect(rules[0]).toMatchObject({ waitP50: 30, overTarget: 0.444444, idealReplicaHours: 0.0069, jobsKilled: 0 });
  });

  it('has sampled nothing and given 30 s to a cold start when it is not told otherwise', async () => {
    const defaults = await simulate('--trace', await someJobs(), '--pool', POOL);
    const said = ['--sample', '1', '--cold-start', '30s', '--seed', '1', '--rules', 'ours,hpa,keda,knative'];
    expect(await simulate('--trace', await someJobs(), '--pool', POOL, ...said)).toEqual(defaults);
  });

  it('writes a report beside the table', async () => {
    const report = join(folder, 'out.html');
    const { out } = await simulate(
      '--trace',
      await someJobs(),
      '--pool',
      POOL,
      '--report',
      report,
      '--cold-start',
      '1m',
    );
    expect(out).toContain('ours');
    const page = await readFile(report, 'utf8');
    expect(page).toContain('<!doctype html>');
    expect(page).toContain('--cold-start 1m --sample 1 --seed 1');
  });

  it('overwrites neither trace nor pool with the report', async () => {
    const trace = await someJobs();
    const before = await readFile(trace, 'utf8');
    const written = simulate('--trace', trace, '--pool', POOL, '--report', join(folder, '.', 'jobs.csv'));
    await expect(written).rejects.toThrow(`the report would overwrite ${trace}`);
    expect(await readFile(trace, 'utf8')).toBe(before);
    const pool = await file('mine.yaml', await readFile(POOL, 'utf8'));
    await expect(simulate('--trace', trace, '--pool', pool, '--report', pool)).rejects.toThrow('would overwrite');
  });

  it('prints in the report a command that a shell reads as it was given', async () => {
    const report = join(folder, 'out.html');
    const trace = await file("it's mine.csv", 'arrival,duration\n0,10\n');
    await simulate('--trace', trace, '--pool', POOL, '--report', report, '--rules', 'keda');
    expect(await readFile(report, 'utf8')).toContain('it&#39;\\&#39;&#39;s mine.csv&#39; --pool');
  });

  it('compares with nothing where jobs last no time', async () => {
    const trace = await file('none.csv', 'arrival,duration\n0,0\n');
    const { out } = await simulate('--trace', trace, '--pool', POOL, '--rules', 'keda');
    expect(out).toMatch(/^keda .* 0\.01 +– +0 +0$/m);
    const { out: json } = await simulate('--trace', trace, '--pool', POOL, '--rules', 'keda', '--json');
    expect(json).toContain('"idealReplicaHours": 0,');
  });

  it('says why a report cannot be written', async () => {
    const report = join(folder, 'none', 'out.html');
    const written = simulate('--trace', await someJobs(), '--pool', POOL, '--report', report);
    await expect(written).rejects.toThrow('the report cannot be written: ENOENT');
  });

  it('lets the other rules finish their jobs when they get the grace for it', async () => {
    const options = ['--trace', AZURE, '--pool', POOL, '--sample', '0.25', '--rules', 'keda', '--json'];
    const killed = ({ out }: { out: string }) =>
      (JSON.parse(out) as { rules: { jobsKilled: number }[] }).rules[0]?.jobsKilled;
    expect(killed(await simulate(...options))).toBeGreaterThan(0);
    expect(killed(await simulate(...options, '--grace', '1h'))).toBe(0);
  });

  it('shows what the README says: on an hour of real LLM calls at most 0.8 of the replica-hours of KEDA, no later, and nothing killed', async () => {
    for (const seed of ['1', '2']) {
      const { out } = await simulate(
        '--trace',
        AZURE,
        '--pool',
        POOL,
        '--sample',
        '0.25',
        '--seed',
        seed,
        '--rules',
        'ours,keda',
        '--json',
      );
      const { rules } = JSON.parse(out) as { rules: Record<'overTarget' | 'replicaHours' | 'jobsKilled', number>[] };
      const [a, b] = rules;
      expect(a?.replicaHours).toBeLessThanOrEqual(0.8 * (b?.replicaHours ?? 0));
      expect(a?.overTarget).toBeLessThanOrEqual(b?.overTarget ?? 0);
      expect(a?.jobsKilled).toBe(0);
    }
  });

  it.each([
    [['--rules', 'ours,mine'], 'there is no rule "mine"; there are: ours, hpa, keda, knative'],
    [['--cold-start', '30'], 'a duration up to 24h, such as 30s'],
    [['--sample', '0'], 'above 0 and at most 1'],
    [['--sample', 'half'], 'above 0 and at most 1'],
    [['--seed', '-1'], 'a whole number'],
    [['--fast'], "unknown option '--fast'"],
    [['more'], 'too many arguments'],
  ])('refuses %j and says what it would take', async (options, message) => {
    await expect(simulate('--trace', AZURE, '--pool', POOL, ...options)).rejects.toThrow(message);
  });

  it('asks for the trace and the pool', async () => {
    await expect(simulate('--pool', POOL)).rejects.toThrow("required option '--trace <file>' not specified");
    await expect(simulate('--trace', AZURE)).rejects.toThrow("required option '--pool <file>' not specified");
  });
});

describe('the pool of a simulation', () => {
  const refused = async (text: string) =>
    simulate('--trace', AZURE, '--pool', await file('pool.yaml', text)).then(
      () => 'it was accepted',
      (error: Error) => error.message,
    );

  it('is found among the other objects of a file', async () => {
    const { out } = await simulate('--trace', await someJobs(), '--pool', join(root, 'deploy/samples/minimal.yaml'));
    expect(out).toContain('agent-jobs: 25 slots a replica');
  });

  it('is refused as the API server would refuse it, every problem at once', async () => {
    const good = `kind: AgentWorkerPool
metadata: {name: a}
spec:
  queue: {name: "a:b", redis: {url: {secretKeyRef: {name: a, key: A}}}}
  workers: {template: {spec: {containers: [{name: worker, image: a}]}}}
  scaling: {targetWait: 0s}
`;
    expect(await refused(good)).toMatch(
      /is not a valid pool:\n {2}spec\.queue\.name: .*":"[^]*spec\.scaling\.targetWait: /,
    );
    const misspelt = good.replace('a:b', 'a').replace('targetWait: 0s', 'maxReplica: 3');
    expect(await refused(misspelt)).toContain('spec.scaling.maxReplica: there is no such field');
  });

  it('is asked what it would do in Auto, whatever its mode', async () => {
    const auto = await readFile(POOL, 'utf8');
    const replayed = async (text: string) =>
      simulate('--trace', await someJobs(), '--pool', await file('pool.yaml', text), '--rules', 'ours');
    const other = (spec: string) => auto.replace('\nspec:\n', `\nspec:\n  ${spec}\n`);
    const expected = await replayed(auto);
    expect(await replayed(other('mode: Recommend'))).toEqual(expected);
    expect(await replayed(other('mode: Paused'))).toEqual(expected);
    const beside = other('mode: Recommend').replace(
      '\n    concurrency:',
      '\n    deploymentName: old\n    concurrency:',
    );
    expect(await replayed(beside)).toEqual(expected);
  });

  it('is found in the list that kubectl get prints', async () => {
    const item = (await readFile(POOL, 'utf8')).replaceAll(/^#.*\n/gm, '').replaceAll(/^/gm, '    ');
    const list = `apiVersion: v1\nkind: List\nitems:\n  -\n${item}\n`;
    const { out } = await simulate('--trace', await someJobs(), '--pool', await file('pool.yaml', list));
    expect(out).toContain('llm-agents: 4 slots a replica');
  });

  it('is refused for a misspelt field of a schedule, which would hold on other clocks', async () => {
    const schedule = '{cron: "0 8 * * *", duration: 1h, timezone: Asia/Kathmandu, minReplicas: 2}';
    const text = `${await readFile(POOL, 'utf8')}    schedules: [${schedule}]\n`;
    expect(await refused(text)).toContain('spec.scaling.schedules[0].timezone: there is no such field');
  });

  it.each([
    ['apiVersion: agentpool.dev/v2\nkind: AgentWorkerPool\n', 'apiVersion must be agentpool.dev/v1alpha1'],
    [
      `kind: AgentWorkerPool\na: &a [${'x,'.repeat(99)}]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]\n`,
      'Excessive alias count',
    ],
    ['kind: Pod\n', 'has no object of kind AgentWorkerPool'],
    ['', 'has no object of kind AgentWorkerPool'],
    ['kind: AgentWorkerPool\n---\nkind: AgentWorkerPool\n', 'has 2 pools'],
    ['kind: AgentWorkerPool\n', 'metadata.name is missing'],
    ['a: [1\n', 'pool.yaml: '],
  ])('is refused from %j', async (text, message) => {
    expect(await refused(text)).toContain(message);
  });

  it('is refused when it cannot be read', async () => {
    await expect(simulate('--trace', AZURE, '--pool', join(folder, 'none.yaml'))).rejects.toThrow(
      'cannot be read: ENOENT',
    );
  });
});
