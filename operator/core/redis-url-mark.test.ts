import { describe, expect, it } from 'vitest';
import { GENERATION_ANNOTATION, REDIS_SECRET_ANNOTATION, REDIS_URL_ANNOTATION } from '../api/names.ts';
import { renderDeployment } from './deployment.ts';
import { urlMarkFor } from './redis-url-mark.ts';
import { deploymentOf, samplePool } from './state.fixture.ts';
import type { DeploymentView, RedisAccess } from './state.ts';

const pool = samplePool();
const OLD = { digest: 'old', secretVersion: 'uid/1' };
const NEW = { digest: 'new', secretVersion: 'uid/2' };
const works: RedisAccess = { ok: true };
const refuses: RedisAccess = { ok: false, trouble: 'RedisAuthFailed', because: 'WRONGPASS' };

const deployed = (mark: typeof OLD | undefined, over: Partial<DeploymentView> = {}): DeploymentView => ({
  ...deploymentOf(pool, 2),
  annotations: renderDeployment(pool, { replicas: 2, ...(mark === undefined ? {} : { redisUrl: mark }) }).metadata
    .annotations,
  ...over,
});
const markFor = (deployment: DeploymentView | null, redisUrl: typeof OLD | undefined, redis: RedisAccess = works) =>
  urlMarkFor({ pool, redis, ...(redisUrl === undefined ? {} : { redisUrl }) }, deployment);

describe('the Redis URL that the pods have', () => {
  it('is the one of the Secret when they are made', () => {
    expect(markFor(null, NEW)).toEqual(NEW);
  });

  it('is the rotated one, by a rollout, as soon as the operator itself has used it', () => {
    expect(markFor(deployed(OLD), NEW)).toEqual(NEW);
    expect(markFor(deployed(OLD), NEW, refuses)).toEqual(OLD);
    const template = (redisUrl: typeof OLD) => renderDeployment(pool, { replicas: 2, redisUrl }).spec.template;
    expect(template(NEW)).not.toEqual(template(OLD));
  });

  it('stays, with no rollout, when the Secret cannot be read, or another key of it has changed', () => {
    expect(markFor(deployed(OLD), undefined)).toEqual(OLD);
    const same = { ...OLD, secretVersion: 'uid/7' };
    expect(markFor(deployed(OLD), same, refuses)).toEqual(same);
    const template = (redisUrl: typeof OLD) => renderDeployment(pool, { replicas: 2, redisUrl }).spec.template;
    expect(template(same)).toEqual(template(OLD));
  });

  it('is not marked on pods of an older operator, which an upgrade must not restart, until they change anyway', () => {
    expect(markFor(deployed(undefined), NEW)).toBeUndefined();
    expect(markFor(deployed(undefined, { replicas: 0 }), NEW)).toEqual(NEW);
    const annotations = { ...deployed(undefined).annotations, [GENERATION_ANNOTATION]: '0' };
    expect(markFor(deployed(undefined, { annotations }), NEW)).toEqual(NEW);
  });

  it('stands on the pods as its digest alone: the version of the Secret would restart them for nothing', () => {
    const { spec, metadata } = renderDeployment(pool, { replicas: 2, redisUrl: OLD });
    expect(JSON.stringify(spec.template)).not.toContain(OLD.secretVersion);
    expect(JSON.stringify(spec.template)).toContain(`"${REDIS_URL_ANNOTATION}":"old"`);
    expect(metadata.annotations[REDIS_SECRET_ANNOTATION]).toBe('uid/1');
  });
});
