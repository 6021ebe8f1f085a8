import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderDeployment, templateKey } from './deployment.ts';
import { samplePool } from './state.fixture.ts';

type Template = { metadata: object; spec: { containers: Record<string, unknown>[] } };

type Probe = Record<'periodSeconds' | 'timeoutSeconds' | 'failureThreshold' | 'terminationGracePeriodSeconds', number>;

const pool = samplePool();
const withTemplate = (template: (typeof pool)['spec']['workers']['template']) => ({
  ...pool,
  spec: { ...pool.spec, workers: { ...pool.spec.workers, template } },
});

/** `Expand` of k8s.io/kubernetes/third_party/forked/golang/expansion: `$$` is a dollar, `$(NAME)` a variable's value. */
const expandedByKubelet = (text: string): string =>
  text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (found, name: string | undefined) =>
    name === undefined ? '$' : name === 'POD_NAME' ? 'the-pod' : found,
  );

describe('the Deployment of a pool', () => {
  it('always carries replicas, for Kubernetes would set 1', () => {
    expect(renderDeployment(pool, { replicas: 0 }).spec.replicas).toBe(0);
  });

  it('belongs to the pool, so that deleting the pool deletes it', () => {
    expect(renderDeployment(pool, { replicas: 0 }).metadata.ownerReferences).toEqual([
      {
        apiVersion: 'agentpool.dev/v1alpha1',
        kind: 'AgentWorkerPool',
        name: 'agent-jobs',
        uid: 'pool-uid',
        controller: true,
      },
    ]);
  });

  it('hands the worker its queue, its name and its Redis by reference, never the URL itself', () => {
    const text = JSON.stringify(renderDeployment(pool, { replicas: 0 }));
    expect(text).toContain('{"name":"REDIS_URL","valueFrom":{"secretKeyRef":{"name":"env","key":"REDIS_URL"}}}');
    expect(text).toContain('{"name":"JOB_CONCURRENCY","value":"5"}');
    expect(text).toContain('"fieldPath":"metadata.name"');
  });

  it('sets every variable that the resource forbids the user to set, and no other', () => {
    const [worker] = (renderDeployment(pool, { replicas: 0 }).spec.template as Template).spec.containers;
    const env = (worker?.['env'] ?? []) as { name: string }[];
    const names = env.map(({ name }) => name);
    expect(names.toSorted()).toEqual([
      'AGENTPOOL_TOKEN_FILE',
      'DRAIN_TIMEOUT_SECONDS',
      'JOB_CONCURRENCY',
      'JOB_QUEUE_NAME',
      'JOB_QUEUE_PREFIX',
      'POD_NAME',
      'PORT',
      'REDIS_URL',
    ]);
  });

  it('passes a queue name on as it is, through what the kubelet expands in it', () => {
    const name = fc.string({ unit: fc.constantFrom('$', '(', ')', 'POD_NAME', 'a', ' ') });
    fc.assert(
      fc.property(name, (queueName) => {
        const odd = { ...pool, spec: { ...pool.spec, queue: { ...pool.spec.queue, name: queueName } } };
        const [worker] = (renderDeployment(odd, { replicas: 0 }).spec.template as Template).spec.containers;
        const variables = worker?.['env'] as { name: string; value: string }[];
        const value = variables.find((variable) => variable.name === 'JOB_QUEUE_NAME')?.value ?? '';
        expect(expandedByKubelet(value)).toBe(queueName);
      }),
      { examples: [['$(POD_NAME)'], ['$$(POD_NAME)'], ['a$$b'], ['$']] },
    );
  });

  it('leaves ports that are no list for the API server to refuse', () => {
    const odd = withTemplate({ spec: { containers: [{ name: 'worker', image: 'i', ports: '8080' }] } });
    const [worker] = (renderDeployment(odd, { replicas: 0 }).spec.template as Template).spec.containers;
    expect(worker?.['ports']).toBe('8080');
  });

  it('has a dead event loop ended within 90 s, and one that a job blocks for 20 s left alone', () => {
    const template = renderDeployment(samplePool(), { replicas: 1 }).spec.template as Template;
    const [worker = {}] = template.spec.containers;
    const probe = worker['livenessProbe'] as Probe;
    const { periodSeconds, timeoutSeconds, failureThreshold, terminationGracePeriodSeconds } = probe;
    // It dies just after a probe, and the last one that it misses has its whole time.
    const latest = periodSeconds * failureThreshold + timeoutSeconds + terminationGracePeriodSeconds;
    expect(latest).toBeLessThan(90);
    // It is blocked just before a probe.
    expect(periodSeconds * (failureThreshold - 1)).toBeGreaterThan(20);
  });

  it('keeps what the user wrote, probes and grace too', () => {
    const own = withTemplate({
      metadata: { labels: { team: 'crm' } },
      spec: {
        terminationGracePeriodSeconds: 30,
        nodeSelector: { disk: 'ssd' },
        containers: [
          {
            name: 'worker',
            image: 'i',
            env: [{ name: 'MODEL', value: 'm' }],
            livenessProbe: { exec: { command: ['true'] } },
          },
          { name: 'sidecar', image: 's' },
        ],
      },
    });
    const template = renderDeployment(own, { replicas: 1 }).spec.template as Template;
    expect(template.metadata).toMatchObject({ labels: { team: 'crm', 'agentpool.dev/pool': 'agent-jobs' } });
    expect(template.spec).toMatchObject({ terminationGracePeriodSeconds: 30, nodeSelector: { disk: 'ssd' } });
    expect(template.spec.containers[0]).toMatchObject({ livenessProbe: { exec: { command: ['true'] } } });
    expect(template.spec.containers[0]?.['env']).toContainEqual({ name: 'MODEL', value: 'm' });
    expect(template.spec.containers[1]).toEqual({ name: 'sidecar', image: 's' });
  });

  it('lets SIGTERM reach a worker that has no handler for it yet, where nobody else would see its processes', () => {
    const shared = (spec: object): unknown => {
      const template = { spec: { containers: [{ name: 'worker', image: 'i' }], ...spec } };
      const rendered = renderDeployment(withTemplate(template), { replicas: 1 }).spec.template as Template;
      return (rendered.spec as { shareProcessNamespace?: boolean }).shareProcessNamespace;
    };
    const init = (over: object) => ({ initContainers: [{ name: 'init', image: 'i', ...over }] });
    expect([shared({}), shared(init({}))]).toEqual([true, true]);
    expect(shared(init({ restartPolicy: 'Always' }))).toBeUndefined();
    expect(shared({ containers: ['worker', 'proxy'].map((name) => ({ name, image: 'i' })) })).toBeUndefined();
    expect([shared({ hostPID: true }), shared({ os: { name: 'windows' } })]).toEqual([undefined, undefined]);
    expect(shared({ shareProcessNamespace: false })).toBe(false);
  });

  it('hands the worker what it checks Supabase with, and leaves what the template says itself', () => {
    const supabase = {
      mode: 'Optional' as const,
      url: { secretName: 'env', key: 'URL' },
      key: { secretName: 'env', key: 'KEY' },
      table: 'agents',
    };
    const namesFor = (container: object): readonly string[] => {
      const checked = { ...pool, spec: { ...pool.spec, health: { ...pool.spec.health, supabase } } };
      const template = { spec: { containers: [{ name: 'worker', image: 'i', ...container }] } };
      const workers = { ...checked.spec.workers, template };
      const rendered = renderDeployment({ ...checked, spec: { ...checked.spec, workers } }, { replicas: 1 });
      const [worker] = (rendered.spec.template as Template).spec.containers;
      const variables = (worker?.['env'] ?? []) as { name: string }[];
      return variables.map(({ name }) => name).filter((name) => name.startsWith('SUPABASE'));
    };
    expect(namesFor({})).toEqual([
      'SUPABASE_URL',
      'SUPABASE_SERVICE_ROLE_KEY',
      'SUPABASE_HEALTH_TABLE',
      'SUPABASE_HEALTH_MODE',
    ]);
    expect(namesFor({ envFrom: [{ secretRef: { name: 'env' } }] })).toEqual([
      'SUPABASE_HEALTH_TABLE',
      'SUPABASE_HEALTH_MODE',
    ]);
    const own = { name: 'SUPABASE_SERVICE_ROLE_KEY', value: 'mine' };
    expect(namesFor({ env: [own] }).filter((name) => name === own.name)).toHaveLength(1);
    expect(JSON.stringify(renderDeployment(pool, { replicas: 1 }))).not.toContain('SUPABASE');
  });

  it('has the same key whatever the number of replicas', () => {
    const key = (replicas: number, resourceVersion: string) =>
      templateKey(renderDeployment(pool, { replicas, resourceVersion }));
    expect(key(1, '5')).toBe(key(7, '9'));
    expect(templateKey(renderDeployment(samplePool({ concurrency: 6 }), { replicas: 1 }))).not.toBe(key(1, '5'));
  });
});
