import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../fixtures/stage/jobs.ts';
import { readDeployment, readPool } from '../fixtures/stage/pool.ts';
import type { Stage } from '../fixtures/stage/stage.ts';
import { POOL, type Scene } from './scene.ts';
import { header, type Look, type Milestones, NO_MILESTONES, row, withLook } from './timeline.ts';

export type Played = Readonly<{ milestones: Milestones; outcome: Outcome; addedAt: number }>;

export type Burst = Readonly<{ scene: Scene; jobs: number; tell: (text: string) => void; ending: AbortSignal }>;

/** The whole demo is over well before, or something is wrong. */
const LIMIT_MS = 5 * 60_000;
const LOOK_EVERY_MS = 100;
const ROW_EVERY_MS = 1000;

/** Adds the burst and watches until every job has ended and the last replica is gone, or the time is up. */
export async function playBurst(stage: Stage, { scene, jobs, tell, ending }: Burst): Promise<Played> {
  tell(header());
  const addedAt = Date.now();
  const ids = await scene.jobs.add({ jobs, minMs: 500, maxMs: 3000 });
  let milestones = NO_MILESTONES;
  let said = { at: Number.NEGATIVE_INFINITY, because: '' };
  while (milestones.zeroAgainMs === undefined && Date.now() - addedAt < LIMIT_MS) {
    ending.throwIfAborted();
    const { look, done } = await lookAt(stage, scene, { addedAt, jobs });
    milestones = withLook(milestones, look, done);
    if (look.at - said.at >= ROW_EVERY_MS || milestones.zeroAgainMs !== undefined) {
      tell(row(look, said.because));
      said = { at: look.at, because: look.because };
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal: ending });
  }
  const outcome = await scene.jobs.outcome(ids);
  await scene.close();
  return { milestones, outcome, addedAt };
}

async function lookAt(
  stage: Stage,
  scene: Scene,
  burst: Readonly<{ addedAt: number; jobs: number }>,
): Promise<{ look: Look; done: boolean }> {
  const [counts, deployment, pool] = await Promise.all([
    scene.jobs.counts(),
    readDeployment(stage, POOL),
    readPool(stage, POOL),
  ]);
  const replicas = deployment?.spec.replicas ?? 0;
  const look: Look = {
    at: Date.now() - burst.addedAt,
    waiting: counts.waiting,
    active: counts.active,
    completed: counts.completed,
    replicas,
    ready: deployment?.status?.readyReplicas ?? 0,
    wanted: pool?.status?.replicas?.wanted ?? replicas,
    because: pool?.status?.decision?.message ?? '',
  };
  return { look, done: counts.completed + counts.failed >= burst.jobs };
}
