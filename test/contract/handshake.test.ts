// The experiment that could prove the scale-down wrong: real controllers and kubelet, plain pods, no operator.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cluster/until.ts';
import { startFlapping } from '../fixtures/handshake/flapping.ts';
import type { Pod } from '../fixtures/handshake/observed.ts';
import type { PlainDeployment } from '../fixtures/handshake/plain-deployment.ts';
import { createRandom } from '../fixtures/random.ts';
import { scaleDown, type ScaleDown, withdraw } from '../fixtures/handshake/scale-down.ts';
import { openTestbed, type Testbed } from '../fixtures/handshake/testbed.ts';

const SCALE_DOWNS = Number(process.env['HANDSHAKE_SCALE_DOWNS'] ?? 200);
const DEPLOYMENTS = 6;
/** How many replicas a scale-down proves; each costs two cores half a second to stop and start again. */
const COUNTS = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3];
/**
 * The product waits 10 s. It protects from a change that our watch has shown and the controller's has not, so it need
 * only be longer than the controller's watch can lag, which is measured here, and of which the outcome is the test.
 */
const QUIET_MS = 1_500;
const CALM_MS = [QUIET_MS + 500, QUIET_MS + 2_500] as const;
/** Which of two equals goes is chance: a half each time. */
const MOST_ROUNDS = 20;
const SEED = Number(process.env['HANDSHAKE_SEED'] ?? Date.now() % 2 ** 31);

const quantile = (values: readonly number[], part: number): number =>
  Math.round([...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? Number.NaN);

const spread = (values: readonly number[]): string =>
  `${quantile(values, 0)} / ${quantile(values, 0.5)} / ${quantile(values, 1)} ms`;

const isWrong = ({ proven, removed }: ScaleDown): boolean => proven.join() !== removed.join();

describe('a scale-down by the handshake', () => {
  let testbed: Testbed;
  const random = createRandom(SEED);
  beforeAll(async () => {
    testbed = await openTestbed('handshake');
  });
  afterAll(() => testbed.close());

  const someOf = (deployment: PlainDeployment, count: number): Pod[] => random.some(deployment.replicas(), count);

  /** Scales a Deployment of its own down and up again for as long as `more` says so. */
  const runLane = async (lane: number, more: () => boolean): Promise<ScaleDown[]> => {
    const random = createRandom(SEED + lane);
    const { observed } = testbed.cluster;
    const deployment = await testbed.deploy(`lane-${lane}`, random.whole(4, 6));
    const [first] = random.some(deployment.replicas(), 1) as [Pod];
    const flapping = startFlapping(deployment, first, { random, calmMs: CALM_MS });
    const done: ScaleDown[] = [];
    while (more()) {
      if (deployment.replicas().length < 4) await deployment.scaleUpTo(random.whole(5, 6));
      const idle = deployment.replicas().filter(({ uid }) => uid !== flapping.pod().uid);
      const [count = 1] = random.some(COUNTS, 1);
      const one = await scaleDown(deployment, random.some(idle, count), { observed, quietMs: QUIET_MS });
      done.push(one);
      if (isWrong(one)) break;
      const [next] = random.some(deployment.replicas(), 1);
      if (next && random.chance(0.3)) await flapping.moveTo(next);
    }
    await flapping.stop();
    return done;
  };

  it(`removes the proven replicas and no other, ${SCALE_DOWNS} times, while another one's readiness flaps`, async () => {
    const began = performance.now();
    let begun = 0;
    const more = () => begun++ < SCALE_DOWNS;
    const all = (await Promise.all(Array.from({ length: DEPLOYMENTS }, (_, lane) => runLane(lane, more)))).flat();
    const wrong = all.filter(isWrong);
    const pods = all.reduce((sum, { removed }) => sum + removed.length, 0);
    const besideNotReady = all.filter((one) => one.besideNotReady).length;
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      [
        `seed ${SEED}: ${all.length} scale-downs of ${pods} replicas in ${seconds} s, ${wrong.length} of them wrong`,
        `${besideNotReady} beside another one that was not ready`,
        `${all.reduce((sum, { conflicts }) => sum + conflicts, 0)} writes met a 409`,
        `answer to removal ${spread(all.flatMap(({ answerToRemovalMs }) => answerToRemovalMs))} (min / median / max)`,
        `answer to counted ${spread(all.map(({ answerToCountMs }) => answerToCountMs))}`,
        `shown by our watch to counted ${spread(all.map(({ lagMs }) => lagMs))}`,
        `write to removal ${spread(all.map(({ writeToRemovalMs }) => writeToRemovalMs))}`,
      ].join('\n'),
    );
    expect(wrong).toEqual([]);
    expect(testbed.cluster.observed.removals.size).toBe(pods);
    // Otherwise the cost was never needed, and the experiment shows little.
    expect(besideNotReady).toBeGreaterThan(SCALE_DOWNS / 10);
  }, 600_000);

  it('removes a busy replica that is not ready, when the proven one has no cost', async () => {
    const deployment = await testbed.deploy('without-cost', 4);
    const rounds = await untilWrong(async () => {
      const [busy, idle] = someOf(deployment, 2) as [Pod, Pod];
      await Promise.all([busy, idle].map((pod) => deployment.turn(pod, 'off')));
      await Promise.all([busy, idle].map((pod) => deployment.shows(pod, 'not ready')));
      await deployment.counts();
      return lower(deployment, { busy, idle });
    });
    console.log(`without the cost a busy replica went in round ${rounds}`);
  }, 120_000);

  it('removes a busy replica that is not ready, when nothing is waited for', async () => {
    const deployment = await testbed.deploy('without-wait', 4);
    const rounds = await untilWrong(async () => {
      const [busy, idle] = someOf(deployment, 2) as [Pod, Pod];
      await deployment.turn(busy, 'off');
      await deployment.shows(busy, 'not ready');
      await withdraw(deployment, idle);
      return lower(deployment, { busy, idle });
    });
    console.log(`without the wait a busy replica went in round ${rounds}`);
  }, 120_000);

  /** Lowers `replicas` by one whatever the handshake would say; true when the busy one went for it. */
  const lower = async (deployment: PlainDeployment, pods: Readonly<{ busy: Pod; idle: Pod }>): Promise<boolean> => {
    const size = deployment.replicas().length;
    await until(() => deployment.write(size - 1), { what: 'a lower number is accepted', everyMs: 1 });
    await deployment.settle();
    const { removals } = testbed.cluster.observed;
    if (removals.has(pods.busy.uid)) return true;
    expect(removals.has(pods.idle.uid)).toBe(true);
    await deployment.turn(pods.busy, 'on');
    await deployment.scaleUpTo(size);
    await deployment.settle();
    return false;
  };
  const untilWrong = async (round: () => Promise<boolean>): Promise<number> => {
    for (let rounds = 1; rounds <= MOST_ROUNDS; rounds += 1) if (await round()) return rounds;
    throw new Error(`no wrong removal in ${MOST_ROUNDS} rounds`);
  };
});
