// Two real operators on one lease, under the rights that are shipped, and the API server's own record of what each of
// them asked: no write of a deposed leader is carried out, whatever ended it.
import { describe, expect, it } from 'vitest';
import { EPOCH_ANNOTATION, POOL_LABEL } from '../../operator/api/names.ts';
import type { AgentWorkerPool } from '../../operator/api/pool.ts';
import { until } from '../cluster/until.ts';
import { NO_AUDIT_LOG, onlyEmbedded } from '../fixtures/embedded-only.ts';
import { type Asked, isAccepted, isLease, isWrite, readAudit } from '../fixtures/operators/audit-log.ts';
import { groundOfTests } from '../fixtures/operators/ground.ts';
import type { OperatorProcess } from '../fixtures/operators/process.ts';
import { OperatorScene } from '../fixtures/operators/scene.ts';

const CLUSTER = process.env['AWP_CLUSTER'] ?? '';
const LEASE_SECONDS = 6;
const LEASE_MS = LEASE_SECONDS * 1000;
/** Of a standby that could not read or take the lease. */
const RETRY_MS = 2000;
const env = { LEASE_DURATION_SECONDS: String(LEASE_SECONDS) };

const ground = groundOfTests();

async function inScene(purpose: string, play: (scene: OperatorScene) => Promise<void>): Promise<void> {
  const scene = await OperatorScene.open({ ...ground(), purpose });
  try {
    await play(scene);
  } finally {
    await scene.close();
  }
}

const auditOf = (scene: OperatorScene): Promise<readonly Asked[]> =>
  readAudit(CLUSTER, ({ by }) => by.startsWith(`${scene.namespace}-`));

/** When it first wrote the lease: from then on it leads. */
const acquiredAt = (asked: readonly Asked[], { name }: OperatorProcess): number | undefined =>
  asked.find((one) => one.by === name && isLease(one) && isWrite(one) && isAccepted(one))?.answeredAt;

const untilAcquired = (scene: OperatorScene, by: OperatorProcess, limitMs: number): Promise<number> =>
  until(async () => acquiredAt(await auditOf(scene), by), {
    what: `${by.name} holds the lease`,
    limitMs,
    everyMs: 100,
  });

/** Each of them wrote only while it led, and the second did write. */
async function expectOneWriterAtATime(
  scene: OperatorScene,
  [first, second]: readonly OperatorProcess[],
): Promise<void> {
  if (!first || !second) throw new Error('two operators are needed');
  const asked = await auditOf(scene);
  const [from, to] = [acquiredAt(asked, first) ?? Infinity, acquiredAt(asked, second) ?? Infinity];
  expect(from).toBeLessThan(to);
  const writes = asked.filter((one) => isWrite(one) && isAccepted(one) && !isLease(one));
  const of = ({ name }: OperatorProcess) => writes.filter(({ by }) => by === name);
  expect(of(first).length).toBeGreaterThan(0);
  expect(of(second).length).toBeGreaterThan(0);
  expect(of(first).filter(({ receivedAt }) => receivedAt < from || receivedAt > to)).toEqual([]);
  expect(of(second).filter(({ receivedAt }) => receivedAt < to)).toEqual([]);
}

/** One more job that waits makes it add one more replica. */
async function expectScaling(scene: OperatorScene, pool: string, to: number): Promise<void> {
  await scene.queue(pool).add({ jobs: 1, minMs: 1, maxMs: 1 });
  await scene.untilSettled(pool, to);
}

describe('two operators on one lease', onlyEmbedded(NO_AUDIT_LOG), () => {
  it('hand over within 2 s of a SIGTERM, and the first ends with 0', async () => {
    await inScene('told', async (scene) => {
      await scene.addPool('jobs', { targetWait: '1s' });
      const [first, second] = await scene.startTwo(env);
      await expectScaling(scene, 'jobs', 1);
      const told = Date.now();
      first.signal('SIGTERM');
      // 2 s is what a person may expect; a machine that is busy gets three times that
      expect((await untilAcquired(scene, second, 20_000)) - told).toBeLessThan(3 * 2_000);
      expect(await first.ended()).toBe(0);
      await expectScaling(scene, 'jobs', 2);
      await expectOneWriterAtATime(scene, [first, second]);
    });
  });

  it('hand over after kill -9 within the lease’s duration and one retry', async () => {
    await inScene('killed', async (scene) => {
      await scene.addPool('jobs', { targetWait: '1s' });
      const [first, second] = await scene.startTwo(env);
      await expectScaling(scene, 'jobs', 1);
      const killed = Date.now();
      first.signal('SIGKILL');
      expect((await untilAcquired(scene, second, 30_000)) - killed).toBeLessThan(LEASE_MS + 3 * RETRY_MS);
      await expectScaling(scene, 'jobs', 2);
      await expectOneWriterAtATime(scene, [first, second]);
    });
  });

  it('lose nothing to a leader that was stopped for 30 s between its check and the socket: its write is refused', async () => {
    await inScene('stopped', async (scene) => {
      await scene.addPool('jobs', { targetWait: '1s', minReplicas: 1 });
      const [first, second] = await scene.startTwo(env);
      const before = await scene.untilSettled('jobs', 1);
      const path = `/apis/apps/v1/namespaces/${scene.namespace}/deployments/jobs`;
      first.stopInGapOf(`PUT ${path}/scale`);
      const queue = scene.queue('jobs');
      await queue.add({ jobs: 3, minMs: 1, maxMs: 1 });
      await first.untilStopped(20_000);
      const stopped = Date.now();
      // What it decided on is gone: the next leader has nothing to change but its mark.
      await queue.queue.drain();
      await untilAcquired(scene, second, 40_000);
      const markOf = async () => (await scene.deployment('jobs'))?.metadata.annotations?.[EPOCH_ANNOTATION];
      const old = before.metadata.annotations?.[EPOCH_ANNOTATION];
      expect(old).toMatch(/^0\./);
      await until(async () => (await markOf()) !== old, { what: 'the mark of the next leader', limitMs: 20_000 });
      expect(await markOf()).toMatch(/^1\./);
      await until(() => Date.now() - stopped > 30_000, { what: '30 s', limitMs: 40_000 });
      first.signal('SIGCONT');
      expect(await first.ended()).toBe(1);
      const late = (await auditOf(scene)).filter(
        (one) =>
          one.by === first.name && one.verb === 'update' && one.resource === 'deployments' && one.receivedAt > stopped,
      );
      expect(late.map(({ name, code }) => [name, code])).toEqual([['jobs', 409]]);
      expect((await scene.deployment('jobs'))?.spec.replicas).toBe(1);
      await expectOneWriterAtATime(scene, [first, second]);
    });
  });

  it('replace a leader whose main loop hangs for ever, and end its process', async () => {
    await inScene('hanging', async (scene) => {
      await scene.addPool('jobs', { targetWait: '1s' });
      const [first, second] = await scene.startTwo(env);
      await expectScaling(scene, 'jobs', 1);
      const hung = Date.now();
      first.signal('SIGUSR2');
      // the heartbeat may be 20 s old, the last renewal for it runs out, and the thread gives the loop 5 s to end
      expect((await untilAcquired(scene, second, 60_000)) - hung).toBeLessThan(
        20_000 + LEASE_MS + 3 * RETRY_MS + 5_000,
      );
      await expectScaling(scene, 'jobs', 2);
      expect(await first.ended()).toBe('SIGKILL');
      await expectOneWriterAtATime(scene, [first, second]);
    });
  });
});

/** Its Deployment is at zero, and the status says of it what the next leader needs. */
async function untilAsleep(scene: OperatorScene, pool: string): Promise<void> {
  const path = `/apis/agentpool.dev/v1alpha1/namespaces/${scene.namespace}/agentworkerpools/${pool}`;
  const { metadata } = await scene.untilSettled(pool, 0, 120_000);
  await until(
    async () => {
      const { status } = await ground().api.get<AgentWorkerPool>(path);
      return status?.deployment?.generation === metadata.generation;
    },
    { what: `the status of ${pool} says what was applied`, limitMs: 120_000 },
  );
}

/** The writes of one operator to the Deployment of a pool, in their order, once there is one. */
const untilWritten = (scene: OperatorScene, by: OperatorProcess, pool: string): Promise<readonly string[]> =>
  until(
    async () => {
      const writes = (await auditOf(scene)).filter(
        (one) => one.by === by.name && one.resource === 'deployments' && one.name === pool && isWrite(one),
      );
      const told = writes.map(({ verb, uri }) => `${verb} ${uri.replace(/\?.*$/, '').replace(/^.*\/deployments/, '')}`);
      return told.length > 0 && told;
    },
    { what: `${by.name} writes to ${pool}`, limitMs: 120_000 },
  );

describe('an operator that is started again', onlyEmbedded(NO_AUDIT_LOG), () => {
  /** What somebody does to the Deployment of the pool of that name while there is no leader. */
  const deeds: Readonly<Record<string, object>> = {
    edited: { spec: { template: { spec: { containers: [{ name: 'worker', image: 'example.test/another:1' }] } } } },
    scaled: { spec: { replicas: 2 } },
    annotated: { metadata: { annotations: { 'example.com/note': 'looked at' } } },
    unlabelled: { metadata: { labels: { [POOL_LABEL]: null } } },
  };

  it('writes to no Deployment at zero that is as it was left, and to each that somebody has changed meanwhile', async () => {
    await inScene('restarted', async (scene) => {
      const { api } = ground();
      const pathOf = (pool: string) => `/apis/apps/v1/namespaces/${scene.namespace}/deployments/${pool}`;
      const pools = ['same', 'deleted', ...Object.keys(deeds)];
      for (const pool of pools) await scene.addPool(pool, { targetWait: '1s' });
      const first = await scene.start('first', env);
      for (const pool of pools) await untilAsleep(scene, pool);
      first.signal('SIGTERM');
      expect(await first.ended()).toBe(0);

      for (const [pool, body] of Object.entries(deeds)) {
        const contentType = 'application/strategic-merge-patch+json';
        await api.request({ method: 'PATCH', path: pathOf(pool), body, contentType });
      }
      await api.request({ method: 'DELETE', path: pathOf('deleted') });
      await until(async () => (await scene.deployment('deleted')) === undefined, {
        what: 'it is deleted',
        limitMs: 120_000,
      });

      const second = await scene.start('second', env);
      await second.untilLeader(120_000);
      for (const pool of ['deleted', ...Object.keys(deeds)]) {
        expect((await untilWritten(scene, second, pool))[0]).toBe(`patch /${pool}`);
        // Replicas that cannot start are given a minute.
        if (pool !== 'scaled') await untilAsleep(scene, pool);
      }
      await until(async () => (await scene.deployment('unlabelled'))?.metadata.labels?.[POOL_LABEL] === 'unlabelled', {
        what: 'the label is there again',
        limitMs: 120_000,
      });
      // It is awake by now, and its very first write is of the number alone: there was none before.
      await scene.queue('same').add({ jobs: 1, minMs: 1, maxMs: 1 });
      await scene.untilSettled('same', 1, 120_000);
      expect(await untilWritten(scene, second, 'same')).toEqual(['update /same/scale']);
    });
  });
});
