import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKubeApi, sendJson } from '../../test/fixtures/fake-kube-api.ts';
import { checkServerVersion } from './server-version.ts';
import { createTransport, type KubeTransport } from './transport.ts';

let api: FakeKubeApi;
let transport: KubeTransport;
beforeEach(async () => {
  api = await new FakeKubeApi().start();
  transport = createTransport({ credentials: api.credentials() });
});
afterEach(async () => {
  await transport.close();
  await api.stop();
});

const oldest = { major: 1, minor: 29 };
const serve = (major: string, minor: string) => {
  api.intercept = ({ response }) => {
    sendJson(response, 200, { major, minor });
    return true;
  };
};

describe('the check of the API server’s version', () => {
  it.each([
    ['1', '29'],
    ['1', '36+'],
    ['2', '0'],
  ])('lets %s.%s pass', async (major, minor) => {
    serve(major, minor);
    expect(await checkServerVersion(transport, oldest)).toEqual({
      major: Number(major),
      minor: Number.parseInt(minor, 10),
    });
  });

  it('says what it found and what is needed', async () => {
    serve('1', '28+');
    await expect(checkServerVersion(transport, oldest)).rejects.toThrow(
      'this Kubernetes is 1.28; the oldest that works is 1.29: upgrade the cluster',
    );
  });

  it('holds nobody up for a version that cannot be read', async () => {
    serve('', '');
    expect(await checkServerVersion(transport, oldest)).toBeUndefined();
  });
});
