import { GENERATION_ANNOTATION, REDIS_SECRET_ANNOTATION, REDIS_URL_ANNOTATION } from '../api/names.ts';
import type { DeploymentView, PoolState, UrlMark } from './state.ts';

/**
 * The Redis URL that the pods are to have been started with. A rotated Secret is a rollout that the user started, and only
 * that is: another version of the Secret with the same URL is none, nor is a Secret that cannot be read. A new URL reaches
 * the workers once the operator has used it: one that Redis refuses would take away workers that still work. Pods of an
 * older rendering, without a mark, keep that until their pool changes or none of them runs.
 */
export function urlMarkFor(
  { redisUrl, redis, pool }: Pick<PoolState, 'redisUrl' | 'redis' | 'pool'>,
  deployment: DeploymentView | null,
): UrlMark | undefined {
  const annotations = deployment?.annotations ?? {};
  const digest = annotations[REDIS_URL_ANNOTATION];
  if (deployment === null || digest === undefined) {
    const changes = deployment === null || annotations[GENERATION_ANNOTATION] !== String(pool.generation);
    return changes || deployment.replicas === 0 ? redisUrl : undefined;
  }
  const current: UrlMark = { digest, secretVersion: annotations[REDIS_SECRET_ANNOTATION] ?? '' };
  if (redisUrl === undefined) return current;
  return redisUrl.digest === digest || redis.ok ? redisUrl : current;
}
