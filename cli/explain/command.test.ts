import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKubeApi } from '../../test/fixtures/fake-kube-api.ts';
import { awp } from '../awp.ts';
import { parseName } from './command.ts';

const POOLS = '/apis/agentpool.dev/v1alpha1/namespaces/agents/agentworkerpools';

const POOL = {
  metadata: {
    name: 'agent-jobs',
    namespace: 'agents',
    uid: 'u',
    generation: 1,
    resourceVersion: '7',
    creationTimestamp: '2026-01-05T12:00:00Z',
  },
  spec: {
    queue: { name: 'agent-jobs', redis: { url: { secretKeyRef: { name: 'env', key: 'REDIS_URL' } } } },
    workers: { template: { spec: { containers: [{ name: 'worker', image: 'example.test/worker:1' }] } } },
  },
  status: {
    decision: { reason: 'QueueEmpty', message: 'nothing waits and nothing runs', at: '2026-01-05T12:00:00Z' },
    queue: { waiting: 0, active: 0 },
  },
};

let folder = '';
let api: FakeKubeApi;
let answers: Record<string, unknown>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awp-explain-'));
  answers = { [`${POOLS}/agent-jobs`]: POOL, [POOLS]: { metadata: { resourceVersion: '9' }, items: [POOL] } };
  api = await new FakeKubeApi().start();
  api.intercept = ({ url, response }) => {
    const body = answers[url.pathname];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { kind: 'Status', reason: 'NotFound', code: 404 }));
    return true;
  };
});
afterEach(async () => {
  await api.stop();
  await rm(folder, { recursive: true });
});

async function explain(...options: string[]): Promise<string> {
  const kubeconfig = join(folder, 'config');
  const cluster = { server: api.origin, 'insecure-skip-tls-verify': true };
  const context = { cluster: 'a', user: 'a', namespace: 'agents' };
  const config = {
    'current-context': 'a',
    clusters: [{ name: 'a', cluster }],
    contexts: [
      { name: 'a', context },
      { name: 'b', context: { cluster: 'a', user: 'a' } },
    ],
    users: [{ name: 'a', user: {} }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  let printed = '';
  const screen = { out: (text: string) => void (printed += text), terminal: { write: () => {} } };
  await awp(screen).parseAsync(['explain', '--kubeconfig', kubeconfig, ...options], { from: 'user' });
  return printed;
}

describe('awp explain', () => {
  it.each([['pool/agent-jobs'], ['agent-jobs'], ['awp/agent-jobs']])(
    'finds %s in the namespace of the context',
    async (name) => {
      expect(await explain(name)).toMatch(
        /^agents\/agent-jobs: QueueEmpty, since .*\n {2}nothing waits and nothing runs\n/,
      );
    },
  );

  it('takes another namespace or context, as kubectl does', async () => {
    await expect(explain('pool/agent-jobs', '-n', 'other')).rejects.toThrow();
    expect(api.requests[0]?.url.pathname).toContain('/namespaces/other/');
    await expect(explain('pool/agent-jobs', '--context', 'b')).rejects.toThrow();
    expect(api.requests.at(-1)?.url.pathname).toContain('/namespaces/default/');
    expect(await explain('pool/agent-jobs', '--context', 'b', '-n', 'agents')).toContain('QueueEmpty');
  });

  it('prints one JSON object', async () => {
    const printed = JSON.parse(await explain('pool/agent-jobs', '--json')) as Record<string, unknown>;
    expect(printed).toMatchObject({ pool: 'agents/agent-jobs', decision: { reason: 'QueueEmpty' }, bounds: [] });
  });

  it('names the pools that there are when there is none of that name', async () => {
    await expect(explain('pool/agent-job')).rejects.toThrow('there is no pool agents/agent-job; there are: agent-jobs');
    answers = { [POOLS]: { metadata: { resourceVersion: '9' }, items: [] } };
    await expect(explain('pool/agent-jobs')).rejects.toThrow('there is none in this namespace');
  });

  it('says that there is none to who may get one pool and not list them', async () => {
    const { intercept } = api;
    api.intercept = (request) => {
      if (request.url.pathname !== POOLS) return intercept(request);
      request.response.writeHead(403, { 'content-type': 'application/json' });
      request.response.end(JSON.stringify({ kind: 'Status', reason: 'Forbidden', code: 403, message: 'cannot list' }));
      return true;
    };
    await expect(explain('pool/agent-job')).rejects.toThrow(/^there is no pool agents\/agent-job$/);
  });

  it('says what is missing in a cluster without the definition', async () => {
    answers = {};
    await expect(explain('pool/agent-jobs')).rejects.toThrow('install the definition, crds/');
  });

  it('says that a kubeconfig cannot be read', async () => {
    await expect(explain('pool/a', '--kubeconfig', join(folder, 'none'))).rejects.toThrow(
      'the kubeconfig cannot be read',
    );
  });

  it.each(['deployment/agent-jobs', 'pool/', 'pool/a/b', 'pool/UPPER', ''])('refuses the name %j', (name) => {
    expect(() => parseName(name)).toThrow(/pool\/NAME|name of a pool/);
  });
});
