import type { Pool } from '../api/parse.ts';
import type { ReplicaAnswer } from '../core/drain/view.ts';
import { type Known, unknown } from '../core/known.ts';
import type { ScaleMemory } from '../core/scale-memory.ts';
import type { DrainFacts, PoolState } from '../core/state.ts';
import type { PodObject } from './pods.ts';
import type { PoolToken, PoolTokens } from './pool-token.ts';
import type { PoolRedis } from './queue/pool-redis.ts';
import type { ReplicaAddress, ReplicaWitness } from './replicas/witness.ts';

export type DrainParts = Readonly<{
  witness: Pick<ReplicaWitness, 'ask'>;
  tokens: Pick<PoolTokens, 'read' | 'dueInMs' | 'forget'>;
}>;

type Asked = Readonly<{
  pool: Pool;
  pods: readonly PodObject[];
  redis: Pick<PoolRedis, 'activeJobs'> | undefined;
  queue: PoolState['queue'];
  memory: ScaleMemory;
}>;

export type DrainLook = Readonly<{ facts: DrainFacts; token: PoolToken }>;

/** What a drain must know. Replicas are asked, and Redis then, only while one is on its way: a pool at rest costs nothing. */
export async function lookAtDrain(parts: DrainParts, asked: Asked): Promise<DrainLook> {
  const { pool, pods, redis, memory } = asked;
  const token = await parts.tokens.read(pool);
  const rest = { token: token.state };
  if (memory.drain.atRest) {
    const activeJobs = unknown('Redis was not asked who works');
    return { facts: { ...rest, asked: false, answers: {}, activeJobs }, token };
  }
  const answers = await parts.witness.ask(addressesOf(pods));
  // After the replicas: a job that one of them has not counted yet is seen here.
  const mayGo = mayGoUntold(asked) || pods.some((pod) => mayBeMarked(pod, answers[pod.uid]));
  const asksRedis = mayGo && !memory.drain.onlyKeeps;
  const activeJobs =
    asksRedis && redis !== undefined ? await redis.activeJobs() : unknown('Redis was not asked who works');
  return { facts: { ...rest, asked: true, answers, activeJobs }, token };
}

/** Replicas that cannot be told go only when nobody works: while the queue says that somebody does, nothing depends on who. */
const mayGoUntold = ({ memory, queue }: Asked): boolean =>
  memory.drain.silence?.isLong === true && queue.ok && queue.value.active === 0;

/**
 * Only then does anything depend on what Redis says: its commands are counted. One that has not started, since no node
 * takes it, can be told nothing and says nothing: that it has no job is for Redis alone to say.
 */
function mayBeMarked(
  { mark, cannotStart, ready, phase }: PodObject,
  answer: Known<ReplicaAnswer> | undefined,
): boolean {
  if (mark !== undefined || cannotStart !== undefined || phase === 'Pending') return true;
  return !ready && answer?.ok === true && answer.value.cordoned && answer.value.active === 0;
}

/** Every replica that can be reached, by where it listens. */
const addressesOf = (pods: readonly PodObject[]): readonly ReplicaAddress[] =>
  pods.flatMap(({ uid, name, address, port, phase, terminating }) =>
    address === undefined || phase !== 'Running' || terminating ? [] : [{ uid, name, ip: address, port }],
  );
