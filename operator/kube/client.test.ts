import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FakeKubeApi,
  type FakeRequest,
  sendJson,
  sendStatus,
  type Thing,
  things,
} from '../../test/fixtures/fake-kube-api.ts';
import { createKubeClient, type KubeClient } from './client.ts';
import { apiVersionOf, deployments, keyOf, pods, refOf, resourcePath } from './resources.ts';
import { createTransport, type KubeTransport } from './transport.ts';
import type { Written } from './writer.ts';

let api: FakeKubeApi;
let transport: KubeTransport;
let client: KubeClient;
let written: Written[];
beforeEach(async () => {
  api = await new FakeKubeApi().start();
  transport = createTransport({ credentials: api.credentials(), limits: { retries: 0 } });
  written = [];
  client = createKubeClient({ transport, onWritten: (write) => written.push(write), refusalMemoryMs: 200 });
});
afterEach(async () => {
  await transport.close();
  await api.stop();
});

const ref = { namespace: 'n', name: 'a' };
const versioned = { metadata: { ...ref, resourceVersion: '7' } };
const accept = () => {
  api.intercept = ({ response }) => {
    sendJson(response, 200, { metadata: { ...ref, uid: 'u', resourceVersion: '8' } });
    return true;
  };
};
const last = (): FakeRequest & { json: { metadata: Record<string, string>; [field: string]: unknown } } => {
  const request = api.requests.at(-1);
  if (!request) throw new Error('nothing was sent');
  return { ...request, json: JSON.parse(request.body) as never };
};

describe('a client', () => {
  it('applies to the version that was decided on, and without one only creates', async () => {
    accept();
    await client.apply(things, versioned, { fieldManager: 'me', force: true });
    expect(last().json.metadata['resourceVersion']).toBe('7');
    expect(last().url.search).toBe('?fieldManager=me&force=true');
    expect(last().headers['content-type']).toBe('application/apply-patch+yaml');
    await client.apply(things, { metadata: ref }, { fieldManager: 'me', force: false });
    expect(last().json).toMatchObject({
      apiVersion: 'example.dev/v1',
      kind: 'Thing',
      metadata: { resourceVersion: '1' },
    });
  });

  it('deletes one object at one version, and says when it was gone', async () => {
    accept();
    const preconditions = { uid: 'u', resourceVersion: '7' };
    const deletion = { ...preconditions, gracePeriodSeconds: 30 };
    expect(await client.deleteWithPreconditions(things, ref, deletion)).toBe('deleted');
    expect(last().json).toMatchObject({ preconditions, gracePeriodSeconds: 30 });
    api.intercept = ({ response }) => (sendStatus(response, 404, 'not found'), true);
    expect(await client.deleteWithPreconditions(things, ref, preconditions)).toBe('gone');
  });

  it('tells of each write that was accepted, with the version that it got', async () => {
    accept();
    await client.replaceStatus(things, versioned);
    expect(last().url.pathname).toBe('/apis/example.dev/v1/namespaces/n/things/a/status');
    await client.get(things, ref);
    expect(written).toEqual([{ type: things, namespace: 'n', resourceVersion: '8' }]);
  });

  it('does not send again what was refused for good, until it changes or some time has gone', async () => {
    api.intercept = ({ response }) => (sendStatus(response, 422, 'spec.x: Invalid value'), true);
    const apply = (value: number, resourceVersion: string) => {
      const body = { metadata: { ...ref, resourceVersion }, spec: { value } };
      return client.apply(things, body, { fieldManager: 'me', force: true });
    };
    await expect(apply(1, '7')).rejects.toThrow('spec.x: Invalid value');
    await expect(apply(1, '8')).rejects.toThrow('spec.x: Invalid value');
    expect(api.requests).toHaveLength(1);
    await expect(apply(2, '8')).rejects.toThrow('spec.x: Invalid value');
    expect(api.requests).toHaveLength(2);
    accept();
    await new Promise((resolve) => setTimeout(resolve, 210));
    await apply(2, '8');
    expect(api.requests).toHaveLength(3);
  });

  it('reads a missing object as undefined, and any other failure as one', async () => {
    api.intercept = ({ response }) => (sendStatus(response, 404, 'not found'), true);
    expect(await client.get(things, ref)).toBeUndefined();
    api.intercept = ({ response }) => (sendStatus(response, 403, 'no'), true);
    await expect(client.get(things, ref)).rejects.toThrow('403 Forbidden');
  });

  it('lists every page once', async () => {
    for (let i = 0; i < 25; i += 1) api.put(`t${i}`, i);
    const { items, resourceVersion } = await client.list<Thing>(things, { pageSize: 10 });
    expect(items.map(({ value }) => value)).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect([api.requests.length, resourceVersion]).toEqual([3, '125']);
  });
});

describe('a resource path', () => {
  it('is made for the core group and for others, for objects, collections and subresources', () => {
    expect(resourcePath(pods)).toBe('/api/v1/pods');
    expect(resourcePath(pods, ref)).toBe('/api/v1/namespaces/n/pods/a');
    expect(resourcePath(deployments, { ...ref, subresource: 'scale' })).toBe(
      '/apis/apps/v1/namespaces/n/deployments/a/scale',
    );
    expect(resourcePath(pods, { namespace: 'n', name: '../x' })).toBe('/api/v1/namespaces/n/pods/..%2Fx');
    expect([apiVersionOf(pods), apiVersionOf(deployments)]).toEqual(['v1', 'apps/v1']);
    expect(refOf(keyOf(ref))).toEqual(ref);
  });
});
