// What each condition of the handshake is for: the real controllers behind watches that can be held back, so that the
// wrong removal which the condition prevents happens every time it is left out.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { onlyEmbedded } from '../fixtures/embedded-only.ts';
import { judge, type Role } from '../fixtures/handshake/judgement.ts';
import { type LaggingControllers, startLaggingControllers } from '../fixtures/handshake/lagging-controllers.ts';
import { LOWEST_COST, type Pod } from '../fixtures/handshake/observed.ts';
import type { PlainDeployment } from '../fixtures/handshake/plain-deployment.ts';
import { withdraw } from '../fixtures/handshake/scale-down.ts';
import { openTestbed, type Testbed } from '../fixtures/handshake/testbed.ts';

const SIZE = 4;

const FOREIGN = 'the controllers of a cluster that is not ours are not to be replaced';

describe('a scale-down while the controllers lag', { timeout: 60_000, ...onlyEmbedded(FOREIGN) }, () => {
  let testbed: Testbed;
  let controllers: LaggingControllers;
  let deployment: PlainDeployment;
  /** Four ready replicas, one of which runs jobs and one of which does not. */
  let busy: Pod;
  let idle: Pod;
  let others: readonly Pod[];

  beforeAll(async () => {
    testbed = await openTestbed('handshake-lag');
    controllers = await startLaggingControllers();
    deployment = await testbed.deploy('lagging', SIZE);
  });
  afterAll(async () => {
    await controllers.stop();
    await testbed.close();
  });
  beforeEach(async () => {
    controllers.release('pods');
    controllers.release('deployments');
    await deployment.settle();
    const left = deployment.replicas().filter(({ address }) => address !== undefined);
    await Promise.all(left.map((pod) => deployment.mark(pod, 'serving')));
    await Promise.all(left.map((pod) => deployment.turn(pod, 'on')));
    await deployment.scaleUpTo(SIZE);
    await deployment.settle();
    await deployment.counts();
    [busy, idle, ...others] = deployment.replicas() as [Pod, Pod, ...Pod[]];
  });

  const roles =
    (...proven: readonly Pod[]) =>
    ({ uid }: Pod): Role =>
      proven.some((pod) => pod.uid === uid) ? 'proven' : 'working';
  const judged = (quietMs: number, ...proven: readonly Pod[]) => judge(deployment.view(roles(...proven), quietMs));
  const removed = (): Pod[] => [busy, idle, ...others].filter(({ uid }) => testbed.cluster.observed.removals.has(uid));
  const write = (replicas: number) =>
    until(() => deployment.write(replicas), { what: `${replicas} replicas are accepted` });
  const turnedOff = async (pod: Pod) => {
    await deployment.turn(pod, 'off');
    await deployment.shows(pod, 'not ready');
  };
  const withdrawn = async (pod: Pod) => {
    await withdraw(deployment, pod);
    await deployment.shows(pod, 'not ready');
  };

  it('removes a busy replica when the counts of the ReplicaSet are not waited for', async () => {
    await turnedOff(busy);
    await deployment.counts();
    controllers.hold('pods');
    await withdrawn(idle);
    expect(judged(0, idle)).toEqual({ wait: 'the ReplicaSet counts 3 ready replicas, our watch 2' });
    await write(SIZE - 1);
    await until(() => removed().length > 0, { what: 'a removal' });
    expect(removed()).toEqual([busy]);
  });

  it('removes the idle replica when they are', async () => {
    await turnedOff(busy);
    await deployment.counts();
    controllers.hold('pods');
    await withdrawn(idle);
    await sleep(500);
    expect(judged(0, idle)).toEqual({ wait: 'the ReplicaSet counts 3 ready replicas, our watch 2' });
    controllers.release('pods');
    await deployment.counts();
    expect(judged(0, idle)).toEqual({ write: SIZE - 1 });
    await write(SIZE - 1);
    await deployment.settle();
    expect(removed()).toEqual([idle]);
  });

  it('removes a busy replica when the counts agree by accident, and the quiet time is shorter than the lag', async () => {
    const quietMs = 1000;
    await turnedOff(busy);
    await deployment.counts();
    controllers.hold('pods');
    await withdrawn(idle);
    await deployment.turn(busy, 'on');
    await deployment.shows(busy, 'ready');
    expect(judged(quietMs, idle)).toEqual({ wait: `${busy.name} changed within the last ${quietMs} ms` });
    await sleep(quietMs);
    expect(judged(quietMs, idle)).toEqual({ write: SIZE - 1 });
    await write(SIZE - 1);
    await until(() => removed().length > 0, { what: 'a removal' });
    expect(removed()).toEqual([busy]);
  });

  it('removes one replica too many when a lowering that is on its way is subtracted again', async () => {
    const [another] = others as [Pod, ...Pod[]];
    await withdrawn(idle);
    await deployment.counts();
    controllers.hold('deployments');
    await write(SIZE - 1);
    await withdrawn(another);
    await deployment.counts();
    expect(judged(0, idle, another)).toEqual({ wait: 'the Deployment controller is behind' });
    await write(SIZE - 1 - 2);
    controllers.release('deployments');
    await deployment.settle();
    expect(removed()).toHaveLength(3);
  });

  it('removes a replica that does not run yet before one that is proven', async () => {
    await withdrawn(idle);
    await deployment.counts();
    // Otherwise it may run before it is looked at.
    const openNodes = await testbed.closeNodes();
    try {
      await write(SIZE + 1);
      const known = new Set([busy, idle, ...others].map(({ uid }) => uid));
      const starting = await until(() => deployment.replicas().find(({ uid }) => !known.has(uid)), {
        what: 'a new replica',
        everyMs: 1,
      });
      await deployment.settle();
      expect(judged(0, idle)).toEqual({ wait: `${starting.name} does not run and would go first` });
      await write(SIZE);
      await deployment.settle();
      expect(testbed.cluster.observed.removals.has(starting.uid)).toBe(true);
      expect(removed()).toEqual([]);
    } finally {
      await openNodes();
    }
  });

  it('removes a busy replica that was cordoned, so has the cost, and becomes not ready after the write', async () => {
    // Of two that are not ready at the same cost the clearly younger one goes: here that is the busy one.
    const oldest = idle;
    await until(() => Date.now() - oldest.createdAt > 12_000, { what: 'a replica is old' });
    await write(SIZE + 1);
    await deployment.readyAre(SIZE + 1);
    const youngest = deployment.replicas().toSorted((a, b) => b.createdAt - a.createdAt)[0] as Pod;
    const roleOf = ({ uid }: Pod): Role =>
      uid === oldest.uid ? 'proven' : uid === youngest.uid ? 'cordoned' : 'working';
    await deployment.setCost(youngest, LOWEST_COST);
    await withdrawn(oldest);
    await deployment.counts();
    await deployment.settle();
    expect(judge(deployment.view(roleOf, 0))).toEqual({ write: SIZE });
    controllers.hold('deployments');
    await write(SIZE);
    await turnedOff(youngest);
    await deployment.counts();
    controllers.release('deployments');
    await deployment.settle();
    expect(testbed.cluster.observed.removals.has(youngest.uid)).toBe(true);
    expect(removed()).toEqual([]);
  });

  describe('that marks a replica when it is proven, in one write of cost and label', () => {
    const unmarked = (count: number) =>
      until(() => deployment.fullyLabeled() === count, {
        what: `${count} without a mark`,
        everyMs: 5,
      });

    it('knows from fullyLabeledReplicas that the controller has seen it, whatever flaps and lags', async () => {
      await turnedOff(busy);
      await deployment.counts();
      controllers.hold('pods');
      await turnedOff(idle);
      await deployment.turn(busy, 'on');
      await deployment.shows(busy, 'ready');
      await deployment.mark(idle, 'leaving');
      await sleep(1000);
      // The ready replicas agree by accident, as above.
      await deployment.counts();
      expect(deployment.fullyLabeled()).toBe(SIZE);
      controllers.release('pods');
      await unmarked(SIZE - 1);
      await deployment.turn(busy, 'off');
      await write(SIZE - 1);
      await deployment.settle();
      expect(removed()).toEqual([idle]);
    });

    it('removes the idle one beside a cordoned one that becomes not ready after the write', async () => {
      await turnedOff(idle);
      await deployment.mark(idle, 'leaving');
      await unmarked(SIZE - 1);
      controllers.hold('deployments');
      await write(SIZE - 1);
      await turnedOff(busy);
      await deployment.counts();
      controllers.release('deployments');
      await deployment.settle();
      expect(removed()).toEqual([idle]);
    });
  });
});
