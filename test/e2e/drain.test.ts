import { describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { tenantOfTests } from '../fixtures/stage/ground.ts';
import { installOperator, onOperator } from '../fixtures/stage/install.ts';
import { openOperatorMetrics } from '../fixtures/stage/operator-metrics.ts';
import { readPods, untilPool, untilReplicas } from '../fixtures/stage/pool.ts';
import type { PoolOfTest } from '../fixtures/stage/tenant.ts';

const { stage, tenant } = tenantOfTests('drain');

const kubectl = (...args: string[]): Promise<string> => stage.kubectl.run(['-n', tenant.namespace, ...args]);
const eachOnce = (jobs: number) => ({ jobs, completed: jobs, failed: 0, lost: 0, runTwice: 0 });

const addJob = async ({ jobs }: PoolOfTest, durationMs: number): Promise<string> =>
  (await jobs.queue.add('test-job', { durationMs })).id ?? '';

/** One job a replica, so that a replica is busy or idle. */
const addPool = (name: string, replicas: number): Promise<PoolOfTest> =>
  tenant.addPool({ name, concurrency: 1, maxReplicas: replicas, targetWait: '1s', window: '5s' });

const notes = async (reason: string, pool: string): Promise<readonly string[]> => {
  const events = ['get', 'events.events.k8s.io', '-o', 'json'];
  const { items } = JSON.parse(await kubectl(...events)) as {
    items: readonly { reason: string; note: string; regarding: { name: string } }[];
  };
  return items.filter((each) => each.reason === reason && each.regarding.name === pool).map(({ note }) => note);
};

describe.concurrent('a pool that needs fewer replicas than it has', () => {
  it('gives up those that are idle, keeps the one that works, and says who went and why', async () => {
    const pool = await addPool('busy', 3);
    const long = await addJob(pool, 40_000);
    const short = await Promise.all([addJob(pool, 500), addJob(pool, 500)]);
    await untilReplicas(stage, pool.ref, { replicas: 3 });
    await pool.jobs.untilDone(short);
    await untilReplicas(stage, pool.ref, { replicas: 1 });
    expect(await pool.jobs.queue.getJobState(long)).toBe('active');
    await pool.jobs.untilDone([long]);
    await untilReplicas(stage, pool.ref, { replicas: 0 });
    expect(await pool.jobs.outcome([long, ...short])).toMatchObject(eachOnce(3));
    const said = await until(
      async () => {
        const found = await notes('ReplicaRemoved', 'busy');
        return found.length === 3 ? found : undefined;
      },
      { what: 'an event for each replica that went' },
    );
    expect(said).toEqual(Array.from({ length: 3 }, () => expect.stringContaining('it says that it runs no job')));
    expect(said.join()).toContain(`the last job that it ended was ${long} at`);
    const log = await onOperator(stage, ['logs', 'deployment/agent-worker-pool', '--tail=-1']);
    expect(
      log.split('\n').filter((line) => line.includes('"outcome":"proven"') && line.includes('busy-')),
    ).toHaveLength(3);
  }, 240_000);

  it('goes down although somebody took the label of those that serve from the busy one, which has it again soon', async () => {
    const pool = await addPool('stripped', 2);
    const [long, short] = [await addJob(pool, 30_000), await addJob(pool, 5000)];
    await untilReplicas(stage, pool.ref, { replicas: 2 });
    const busy = await until(async () => (await pool.jobs.queue.getJob(long))?.processedBy, {
      what: 'the long job runs',
    });
    await kubectl('label', 'pod', busy, 'agentpool.dev/serving-');
    await until(
      async () => {
        const pods = await readPods(stage, pool.ref);
        return (
          pods.find(({ metadata }) => metadata.name === busy)?.metadata.labels?.['agentpool.dev/serving'] === 'true'
        );
      },
      { what: 'the busy replica has its label again' },
    );
    await untilReplicas(stage, pool.ref, { replicas: 1 });
    await pool.jobs.untilDone([long, short]);
    await untilReplicas(stage, pool.ref, { replicas: 0 });
    expect(await pool.jobs.outcome([long, short])).toMatchObject(eachOnce(2));
  }, 240_000);

  it('takes a replica back that is on its way out when load returns, and starts none anew', async () => {
    const pool = await addPool('returning', 2);
    const first = await Promise.all([addJob(pool, 1000), addJob(pool, 1000)]);
    await pool.jobs.untilDone(first);
    const names = async () => (await readPods(stage, pool.ref)).map(({ metadata }) => metadata.name).sort();
    const before = await names();
    await untilPool(stage, pool.ref, {
      what: 'two replicas are on their way out',
      holds: ({ status }) => status?.replicas?.draining === 2,
    });
    const second = await Promise.all([addJob(pool, 1000), addJob(pool, 1000)]);
    await pool.jobs.untilDone(second);
    expect(await names()).toEqual(before);
    expect(await pool.jobs.outcome([...first, ...second])).toMatchObject(eachOnce(4));
  }, 180_000);
});

describe.concurrent('a job that a rollout does not let end', () => {
  it('is started again at once, and counted as interrupted by the rollout, not by a scale-down', async () => {
    const metrics = await openOperatorMetrics(stage);
    const interrupted = (cause: string) => metrics.read('awp_jobs_interrupted_total', `cause="${cause}"`);
    const [rollouts, scaleDowns] = [await interrupted('rollout'), await interrupted('scale_down')];
    const sizing = { concurrency: 1, maxReplicas: 1, targetWait: '1s', window: '5s' };
    const pool = await tenant.addPool({ name: 'rolled', ...sizing, drain: { timeout: '30s' } });
    const long = await addJob(pool, 45_000);
    await until(async () => (await pool.jobs.queue.getJobState(long)) === 'active', {
      what: 'the job runs',
    });
    await kubectl('rollout', 'restart', 'deployment/rolled');
    await until(async () => (await interrupted('rollout')) === rollouts + 1, {
      what: 'the job is counted as interrupted by the rollout',
    });
    const said = await until(
      async () => {
        const found = await notes('JobsInterrupted', 'rolled');
        return found.length > 0 && found;
      },
      { what: 'an event says so' },
    );
    expect(said).toEqual([expect.stringContaining('gave 1 job back to the queue when a rollout replaced it')]);
    await pool.jobs.untilDone([long]);
    expect(await pool.jobs.outcome([long])).toMatchObject({ completed: 1, failed: 0, runTwice: 1 });
    expect(await interrupted('scale_down')).toBe(scaleDowns);
    await metrics.close();
  }, 240_000);
});

/** So slow to be shown not ready that an operator is gone long before it could take the replica away. */
const SLOW_READINESS = {
  readinessProbe: { httpGet: { path: '/ready', port: 3001 }, periodSeconds: 10, failureThreshold: 3 },
};

describe('without an operator', () => {
  it('replicas that were on their way out work again within 75 s', async () => {
    const sizing = { concurrency: 1, maxReplicas: 2, targetWait: '1s', window: '5s' };
    const pool = await tenant.addPool({ name: 'orphaned', ...sizing, container: SLOW_READINESS });
    const first = await Promise.all([addJob(pool, 1000), addJob(pool, 1000)]);
    await pool.jobs.untilDone(first);
    await untilPool(stage, pool.ref, {
      what: 'both replicas are on their way out',
      holds: ({ status }) => status?.replicas?.draining === 2,
    });
    await onOperator(stage, ['delete', 'deployment/agent-worker-pool', '--cascade=foreground', '--timeout=120s']);
    try {
      const before = (await readPods(stage, pool.ref)).map(({ metadata }) => metadata.name);
      const second = await addJob(pool, 200);
      await pool.jobs.untilDone([second], 76_000);
      expect(before).toContain((await pool.jobs.queue.getJob(second))?.processedBy);
      expect(await pool.jobs.outcome([...first, second])).toMatchObject(eachOnce(3));
    } finally {
      await installOperator(stage);
    }
  }, 240_000);
});
