import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { soon } from '../../test/fixtures/soon.ts';
import { FakeKubeApi, sendJson, sendStatus } from '../../test/fixtures/fake-kube-api.ts';
import { isConflict, isTerminalRefusal, type KubeError, lacksRight, wordsOf } from './errors.ts';
import { createKubeMetrics } from './metrics.ts';
import type { KubeRequest } from './request.ts';
import { createTransport, type KubeTransport, type TransportOptions } from './transport.ts';

let api: FakeKubeApi;
let transport: KubeTransport;
beforeEach(async () => {
  api = await new FakeKubeApi().start();
});
afterEach(async () => {
  await transport.close();
  await api.stop();
});

const connect = (options: Partial<TransportOptions> = {}) => {
  const limits = { retryBaseMs: 1, retryMaxMs: 5, headersMs: 60_000, ...options.limits };
  transport = createTransport({ credentials: api.credentials(), ...options, limits });
  return transport;
};
const read: KubeRequest = { method: 'GET', path: '/api/v1/things/a' };
const write: KubeRequest = { method: 'POST', path: '/api/v1/things', body: { a: 1 } };
const put: KubeRequest = { method: 'PUT', path: '/api/v1/things/a', body: {}, idempotent: true };
const failure = (request: KubeRequest) =>
  transport.request(request).then(
    () => expect.unreachable('the request succeeded'),
    (error: unknown) => error as KubeError,
  );

/** Answers the n-th request with the n-th of these, and all later ones with 200. */
const answering = (...answers: ((typeof api)['intercept'] | number | undefined)[]) => {
  let count = 0;
  api.intercept = (request) => {
    const answer = answers[count];
    count += 1;
    if (typeof answer === 'function') return answer(request);
    if (answer === undefined) sendJson(request.response, 200, { fine: true });
    else sendStatus(request.response, answer, 'no\nsecond line');
    return true;
  };
};
const reset: (typeof api)['intercept'] = ({ response }) => {
  response.socket?.resetAndDestroy();
  return true;
};
const silent: (typeof api)['intercept'] = () => true;

describe('a transport', () => {
  it('reuses its connections', async () => {
    answering();
    const ports = new Set<number | undefined>();
    const answer = api.intercept;
    api.intercept = (request) => {
      ports.add(request.response.socket?.remotePort);
      return answer(request);
    };
    connect();
    for (let i = 0; i < 20; i += 1) await transport.request(read);
    // undici opens a second one while the first still finishes its answer
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it.each([
    ['429', 429],
    ['500', 500],
    ['503', 503],
    ['a reset connection', reset],
  ])('sends a read again after %s', async (_, fault) => {
    answering(fault, fault);
    expect(await connect().request(read)).toEqual({ fine: true });
    expect(api.requests).toHaveLength(3);
  });

  it('sends a write without precondition once, and one with precondition again', async () => {
    answering(reset, 500);
    connect();
    expect((await failure(write)).reason).toBe('Unreachable');
    expect((await failure(write)).status).toBe(500);
    expect(api.requests).toHaveLength(2);
    answering(reset, 500);
    expect(await transport.request(put)).toEqual({ fine: true });
  });

  it('sends even a plain write again after 429, which the server has not carried out', async () => {
    answering(429);
    expect(await connect().request(write)).toEqual({ fine: true });
  });

  it('waits as long as Retry-After says, and hands a long one to the caller', async () => {
    answering(
      ({ response }) => (sendStatus(response, 429, 'slow down', { 'retry-after': '1' }), true),
      undefined,
      ({ response }) => (sendStatus(response, 429, 'slow down', { 'retry-after': '60' }), true),
    );
    connect();
    const began = performance.now();
    await transport.request(read);
    expect(performance.now() - began).toBeGreaterThanOrEqual(990);
    expect((await failure(read)).retryAfterMs).toBe(60_000);
    expect(api.requests).toHaveLength(3);
  });

  it.each([400, 403, 404, 409, 410, 422])('never repeats a %i', async (status) => {
    answering(status);
    connect();
    const error = await failure(read);
    expect([error.status, api.requests.length]).toEqual([status, 1]);
    expect([isConflict(error), isTerminalRefusal(error)]).toEqual([status === 409, [400, 403, 422].includes(status)]);
  });

  it.each([
    ['an unknown field', 'failed to create typed patch object (a/b; apps/v1): .spec.foo: field not declared in schema'],
    [
      'a list with a key twice',
      'failed to create typed patch object (a/b): .volumes: duplicate entries for key [name="a"]',
    ],
    [
      'another type',
      'failed to create typed patch object (a/b): .spec.grace: expected numeric (int or float), got string',
    ],
    [
      'a wrong quantity',
      'failed to convert new object (a/b) to proper version: quantities must match the regular expression',
    ],
    ['what the storage cannot hold', 'etcdserver: request is too large'],
  ])('takes the 500 for %s as the refusal that it is', async (_what, words) => {
    answering(({ response }) => (sendStatus(response, 500, words), true));
    connect();
    const error = await failure(put);
    expect([isTerminalRefusal(error), api.requests.length]).toEqual([true, 1]);
  });

  it('says what was refused in the server’s words: path, status, first line, no query', async () => {
    answering(403);
    connect();
    const error = await failure({ ...read, query: { token: 'secret' } });
    expect(error.message).toBe('GET /api/v1/things/a: 403 Forbidden: no');
    expect(error.body?.message).toBe('no\nsecond line');
  });

  it('says which right its account has not and what to do, in a line that nobody cuts, where it is told the cure', async () => {
    const user = 'system:serviceaccount:agent-worker-pool:agent-worker-pool';
    const lacking = (rest: string): (typeof api)['intercept'] => {
      const words = `deployments.apps "x" is forbidden: User "${user}" cannot patch resource "deployments" ${rest}`;
      return ({ response }) => (sendStatus(response, 403, words), true);
    };
    const inOne = lacking('in API group "apps" in the namespace "agents"');
    answering(inOne, lacking('in API group "apps" at the cluster scope'), inOne);
    connect({ cureOfMissingRight: ({ namespace }) => `ask ${namespace ?? 'everybody'}` });
    const error = await failure(write);
    const sentence = "the operator's account may not patch deployments.apps in namespace agents: ask agents";
    expect([error.message, wordsOf(error), lacksRight(error)]).toEqual([sentence, sentence, true]);
    expect((await failure(write)).message).toContain('may not patch deployments.apps in all namespaces: ask everybody');
    connect();
    expect(wordsOf(await failure(write))).toContain('forbidden: User');
  });

  it('ends an attempt that gets no answer, and tries again on another connection', async () => {
    answering(silent);
    connect({ limits: { callMs: 100 } });
    expect(await transport.request(read)).toEqual({ fine: true });
    answering(silent, silent);
    expect((await failure(write)).reason).toBe('Timeout');
  });

  it('ends with the caller’s reason when the caller gives up', async () => {
    answering(silent);
    const giveUp = new AbortController();
    const error = connect().request({ ...read, signal: giveUp.signal });
    await soon(() => expect(api.requests).toHaveLength(1));
    giveUp.abort(new Error('no longer needed'));
    await expect(error).rejects.toThrow('no longer needed');
  });

  it('asks right before each write, and never before a read', async () => {
    answering();
    let leader = true;
    connect({
      beforeWrite: ({ method }) => {
        if (!leader) throw new Error(`not the leader: ${method}`);
      },
    });
    await transport.request(write);
    leader = false;
    await transport.request(read);
    await expect(transport.request(write)).rejects.toThrow('not the leader: POST');
    expect(api.requests).toHaveLength(2);
  });

  it('holds calls back to its rate', async () => {
    answering();
    connect({ limits: { rate: { perSecond: 20, burst: 5 } } });
    const began = performance.now();
    await Promise.all(Array.from({ length: 15 }, () => transport.request(read)));
    expect(performance.now() - began).toBeGreaterThanOrEqual(490);
  });

  it('reads its credentials again after a 401', async () => {
    let token = 'old';
    const source = (value: string) => ({ server: api.origin, headers: { authorization: value }, tls: {} });
    answering(401);
    connect({
      credentials: {
        get: () => Promise.resolve(source(token)),
        renew: () => {
          token = 'new';
          return Promise.resolve(source(token));
        },
      },
    });
    await transport.request(read);
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual(['old', 'new']);
    answering(401, 401);
    expect((await failure(read)).status).toBe(401);
  });

  it('counts answers and missing answers under client-go’s name', async () => {
    const registry = new Registry();
    answering(reset, 404);
    connect({ metrics: createKubeMetrics(registry) });
    await failure(read);
    const metric = await registry.getSingleMetric('rest_client_requests_total')?.get();
    const counted = (metric?.values ?? []).map(({ labels, value }) => [labels.code, labels.method, value]);
    expect(counted.filter(([, , value]) => value !== 0)).toEqual([
      ['<error>', 'GET', 1],
      ['404', 'GET', 1],
    ]);
    // an alert on the increase of what never happened sees the first one
    for (const code of ['429', '500', '503', '<error>']) expect(counted).toContainEqual([code, 'PATCH', 0]);
  });
});
