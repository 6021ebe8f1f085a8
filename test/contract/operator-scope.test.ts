// A real operator that is told which namespaces and pools are its own, with rights in those namespaces alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentWorkerPool } from '../../operator/api/pool.ts';
import { until } from '../cluster/until.ts';
import { NO_AUDIT_LOG, onlyEmbedded } from '../fixtures/embedded-only.ts';
import { installRights, kubeconfigOf } from '../fixtures/operators/account.ts';
import { readAudit } from '../fixtures/operators/audit-log.ts';
import { OperatorScene } from '../fixtures/operators/scene.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { type Api, connect, installCrd, type KubeObject, readManifests } from './api-server.ts';

const CLUSTER = process.env['AWP_CLUSTER'] ?? '';
const HOME = 'agent-worker-pool';
const ACCOUNT = 'of-one-namespace';
const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: HOME }];

describe('an operator of some namespaces and some pools', onlyEmbedded(NO_AUDIT_LOG), () => {
  let api: Api;
  let redis: RedisServer;
  let scene: OperatorScene;

  beforeAll(async () => {
    api = connect();
    await installCrd(api);
    await installRights(api);
    redis = await startRedis();
    const kubeconfig = await kubeconfigOf(api, ACCOUNT);
    scene = await OperatorScene.open({ api, kubeconfig, redis, purpose: 'scope' });
    for (const object of await grant()) await api.apply(object);
    await api.apply(leaseBinding);
  });
  afterAll(async () => {
    await scene.close();
    await api.remove(leaseBinding);
    await redis.stop();
    await api.close();
  });

  const leaseBinding: KubeObject = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { namespace: HOME, name: ACCOUNT },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'agent-worker-pool' },
    subjects,
  };
  /** What gives the account its rights in the scene's namespace. */
  const grant = async (): Promise<readonly KubeObject[]> =>
    (await readManifests('deploy/namespaced/grant/rbac.yaml')).map((object) => ({
      ...object,
      metadata: { ...object.metadata, namespace: scene.namespace },
      ...(object.kind === 'RoleBinding' ? { subjects } : {}),
    }));
  const untilApplied = (pool: string) =>
    until(() => scene.deployment(pool), { what: `pool ${pool} is applied`, limitMs: 120_000 });

  it('looks after those, takes one over whose label changes, and asks for nothing that it may not', async () => {
    await scene.addPool('ours', { labels: { shard: 'a' } });
    await scene.addPool('theirs', { labels: { shard: 'b' } });
    const operator = await scene.start('a', { POOL_SELECTOR: 'shard=a' });
    await operator.untilLeader(60_000);
    await untilApplied('ours');
    await scene.queue('ours').add({ jobs: 1, minMs: 1, maxMs: 1 });
    await scene.untilSettled('ours', 1);
    expect(await scene.deployment('theirs')).toBeUndefined();
    await scene.addPool('theirs', { labels: { shard: 'a' } });
    await untilApplied('theirs');
    const asked = await readAudit(CLUSTER, ({ by }) => by === operator.name);
    expect(asked.length).toBeGreaterThan(5);
    // What the API server is and serves may be asked by any account, and names no object.
    const ofObjects = asked.filter(({ resource }) => resource !== '');
    const places = new Set(ofObjects.map(({ namespace }) => namespace));
    expect([...places].toSorted()).toEqual([HOME, scene.namespace].toSorted());
    expect(asked.filter(({ code }) => code === 401 || code === 403)).toEqual([]);
  });

  it('stands by with every series at 0, so that the first increase of any is seen', async () => {
    const standby = await scene.start('standby', { POOL_SELECTOR: 'shard=a' });
    await standby.untilReady(60_000);
    const lines = (await (await standby.get('/metrics')).text()).split('\n');
    const zeros = [
      'controller_runtime_reconcile_total{controller="pool",result="success"} 0',
      'controller_runtime_reconcile_total{controller="pool",result="error"} 0',
      'controller_runtime_reconcile_total{controller="pool",result="requeue"} 0',
      'controller_runtime_reconcile_total{controller="pool",result="requeue_after"} 0',
      'controller_runtime_reconcile_errors_total{controller="pool"} 0',
      'controller_runtime_terminal_reconcile_errors_total{controller="pool"} 0',
      'controller_runtime_reconcile_panics_total{controller="pool"} 0',
      'controller_runtime_reconcile_timeouts_total{controller="pool"} 0',
      'controller_runtime_reconcile_time_seconds_count{controller="pool"} 0',
      'controller_runtime_active_workers{controller="pool"} 0',
      'workqueue_retries_total{name="pool",controller="pool"} 0',
      'workqueue_queue_duration_seconds_count{name="pool",controller="pool"} 0',
      'workqueue_work_duration_seconds_count{name="pool",controller="pool"} 0',
      'workqueue_unfinished_work_seconds{name="pool",controller="pool"} 0',
      'workqueue_longest_running_processor_seconds{name="pool",controller="pool"} 0',
      `leader_election_master_status{name="${scene.leaseName}"} 0`,
      ...['agentworkerpools', 'deployments', 'pods'].flatMap((resource) => [
        `reflector_watch_restarts_total{resource="${resource}",reason="network"} 0`,
        `reflector_watch_restarts_total{resource="${resource}",reason="gone"} 0`,
        `reflector_relist_differences_total{resource="${resource}"} 0`,
      ]),
      'event_recorder_events_total{outcome="failed"} 0',
      'awp_unhandled_errors_total 0',
    ];
    expect(zeros.filter((series) => !lines.includes(series))).toEqual([]);
    for (const begin of [
      'controller_runtime_max_concurrent_reconciles{controller="pool"} 32',
      'workqueue_adds_total{name="pool",controller="pool"} ',
      'workqueue_depth{name="pool",controller="pool"} ',
      'rest_client_requests_total{code="500",method="PATCH",',
      'nodejs_eventloop_lag_p99_seconds ',
      'nodejs_eventloop_lag_max_seconds ',
    ]) {
      expect(lines.some((line) => line.startsWith(begin))).toBe(true);
    }
  });

  it('says which right somebody has taken from it, and what gives it back, and goes on when it has it again', async () => {
    const role = (await grant()).find(({ kind }) => kind === 'Role') as KubeObject & { rules: readonly Rule[] };
    const rules = role.rules.flatMap(({ resources, verbs, ...rest }) =>
      resources.includes('deployments/scale')
        ? []
        : {
            ...rest,
            resources,
            verbs: resources.includes('deployments') ? verbs.filter((verb) => verb !== 'patch') : verbs,
          },
    );
    await api.apply({ ...role, rules });
    await scene.queue('ours').add({ jobs: 1, minMs: 1, maxMs: 1 });
    const pool = `/apis/agentpool.dev/v1alpha1/namespaces/${scene.namespace}/agentworkerpools/ours`;
    const said = await until(
      async () => {
        const { status } = await api.get<AgentWorkerPool>(pool);
        return status?.conditions?.find(({ reason }) => reason === 'ApplyFailing')?.message;
      },
      { what: 'the pool says that it cannot be applied', limitMs: 120_000 },
    );
    const who = `the operator's account may not patch deployments.apps in namespace ${scene.namespace}`;
    expect(said).toContain(
      `${who}: give it its roles again, by helm upgrade --force-conflicts or kubectl apply -n NAMESPACE -k deploy/namespaced/grant`,
    );
    await api.apply(role);
    await scene.untilSettled('ours', 2, 120_000);
  });

  it('is not ready while it may not read the lease, so that no rollout puts it in place of one that leads', async () => {
    await api.remove(leaseBinding);
    const barred = await scene.start('barred', { POOL_SELECTOR: 'shard=a' });
    const says = async () => (await barred.get('/readyz')).text();
    await until(async () => (await says().catch(() => '')).includes('may not get leases.coordination.k8s.io'), {
      what: 'it says which right it needs to be ready',
      limitMs: 120_000,
    });
    await api.apply(leaseBinding);
    await barred.untilReady(120_000);
  });
});

type Rule = Readonly<{ resources: readonly string[]; verbs: readonly string[] }>;
