import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKubeApi, sendStatus, type Thing, things } from '../../test/fixtures/fake-kube-api.ts';
import { soon } from '../../test/fixtures/soon.ts';
import { OptionalReflector } from './optional-reflector.ts';
import type { Projected } from './store.ts';
import { createTransport, type KubeTransport } from './transport.ts';

const DISCOVERY = `/apis/${things.group}/${things.version}`;

let api: FakeKubeApi;
let transport: KubeTransport;
let reflector: OptionalReflector<Projected>;
/** Whether the API server serves the type; `unknown`: it does not say. */
let served: 'yes' | 'no' | 'unknown';
let looks: number;

beforeEach(async () => {
  api = await new FakeKubeApi().start();
  api.put('one', 1);
  looks = 0;
  api.intercept = ({ url, response }) => {
    if (url.pathname === DISCOVERY) looks += 1;
    else if (served !== 'no') return false;
    if (served === 'yes') response.end(JSON.stringify({ resources: [{ name: things.plural }] }));
    else sendStatus(response, served === 'no' ? 404 : 403, 'no');
    return true;
  };
  transport = createTransport({ credentials: api.credentials(), limits: { retryBaseMs: 1, retryMaxMs: 5 } });
  reflector = new OptionalReflector({
    transport,
    type: things,
    lookEveryMs: 5,
    project: (raw) => (raw as Thing).metadata,
    indexes: { name: ({ name }) => [name] },
  });
});
afterEach(async () => {
  await reflector.stop();
  await transport.close();
  await api.stop();
});

const begin = (state: typeof served): void => {
  served = state;
  reflector.start(new AbortController().signal);
};
const found = () => reflector.byIndex('name', 'one').length;

describe('a type that the cluster may not have', () => {
  it('is nothing where it is not served, and costs one small request at a time', async () => {
    begin('no');
    await soon(() => expect(looks).toBeGreaterThan(3));
    expect(found()).toBe(0);
    expect(api.requests.filter(({ url }) => url.pathname !== DISCOVERY)).toEqual([]);
  });

  it('is watched as soon as it is served, and is nothing again when its definition is gone', async () => {
    begin('no');
    await soon(() => expect(looks).toBeGreaterThan(1));
    served = 'yes';
    await soon(() => expect(found()).toBe(1));
    served = 'no';
    await soon(() => expect(found()).toBe(0));
    await soon(() => expect(api.watches).toEqual([]));
  });

  it('is watched on while the API server does not say what it serves', async () => {
    begin('yes');
    await soon(() => expect(found()).toBe(1));
    served = 'unknown';
    const before = looks;
    await soon(() => expect(looks).toBeGreaterThan(before + 2));
    expect(found()).toBe(1);
  });
});
