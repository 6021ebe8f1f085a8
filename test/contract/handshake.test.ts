// The experiment that could prove the scale-down wrong: real controllers and kubelet, plain pods, no operator.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFlapping } from '../fixtures/handshake/flapping.ts';
import { createRandom } from '../fixtures/handshake/random.ts';
import { scaleDown, type ScaleDown } from '../fixtures/handshake/scale-down.ts';
import { openTestbed, type Testbed } from '../fixtures/handshake/testbed.ts';

const SCALE_DOWNS = Number(process.env['HANDSHAKE_SCALE_DOWNS'] ?? 204);
const DEPLOYMENTS = 6;
const QUIET_MS = 2_000;
const CALM_MS = [QUIET_MS + 500, QUIET_MS + 2_500] as const;
const SEED = Number(process.env['HANDSHAKE_SEED'] ?? Date.now() % 2 ** 31);

const quantile = (values: readonly number[], part: number): number =>
  Math.round([...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? Number.NaN);

const spread = (values: readonly number[]): string =>
  `${quantile(values, 0)} / ${quantile(values, 0.5)} / ${quantile(values, 1)} ms`;

describe('a scale-down by the handshake', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await openTestbed('handshake');
  });
  afterAll(() => testbed.close());

  const runLane = async (lane: number, share: number): Promise<ScaleDown[]> => {
    const random = createRandom(SEED + lane);
    const { observed } = testbed.cluster;
    const deployment = await testbed.deploy(`lane-${lane}`, 6);
    const [first] = random.some(deployment.replicas(), 1);
    if (!first) throw new Error('no replica');
    const flapping = startFlapping(deployment, first, { random, calmMs: CALM_MS });
    const done: ScaleDown[] = [];
    try {
      while (done.length < share) {
        if (deployment.replicas().length < 4) await deployment.scaleUpTo(random.whole(5, 6));
        const idle = deployment.replicas().filter(({ uid }) => uid !== flapping.pod().uid);
        const count = random.some([1, 1, 1, 1, 1, 1, 2, 2, 2, 3], 1)[0] ?? 1;
        done.push(await scaleDown(deployment, random.some(idle, count), { observed, quietMs: QUIET_MS }));
        const [next] = random.some(deployment.replicas(), 1);
        if (next && random.chance(0.3)) await flapping.moveTo(next);
      }
    } finally {
      await flapping.stop();
    }
    return done;
  };

  it(`removes the proven replicas and no other, ${SCALE_DOWNS} times, while another one's readiness flaps`, async () => {
    const began = performance.now();
    const share = Math.ceil(SCALE_DOWNS / DEPLOYMENTS);
    const lanes = await Promise.all(Array.from({ length: DEPLOYMENTS }, (_, lane) => runLane(lane, share)));
    const all = lanes.flat();
    const wrong = all.filter(({ proven, removed }) => proven.join() !== removed.join());
    const pods = all.reduce((sum, { removed }) => sum + removed.length, 0);
    console.log(
      [
        `seed ${SEED}: ${all.length} scale-downs of ${pods} replicas in ${Math.round((performance.now() - began) / 1000)} s`,
        `${wrong.length} wrong; ${all.reduce((sum, { conflicts }) => sum + conflicts, 0)} writes met a 409`,
        `answer to removal ${spread(all.flatMap(({ answerToRemovalMs }) => answerToRemovalMs))} (min / median / max)`,
        `not ready in our watch to counted so ${spread(all.map(({ countLagMs }) => countLagMs))}`,
        `write to removal ${spread(all.map(({ writeToRemovalMs }) => writeToRemovalMs))}`,
      ].join('\n'),
    );
    expect(wrong).toEqual([]);
    expect(all.length).toBeGreaterThanOrEqual(SCALE_DOWNS);
    expect(testbed.cluster.observed.removals.size).toBe(pods);
  }, 600_000);
});
