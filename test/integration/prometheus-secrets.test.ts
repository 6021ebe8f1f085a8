import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Pool } from '../../operator/api/parse.ts';
import { samplePool } from '../../operator/core/state.fixture.ts';
import { PrometheusSource } from '../../operator/observe/prometheus-source.ts';
import { PrometheusClient } from '../../operator/observe/queue/prometheus-client.ts';
import { SecretCache } from '../../operator/observe/secret-cache.ts';

let dir: string;
let certificate: string;
let foreign: string;
let close: () => void;
let url: string;
/** What the server wants to be shown. */
let token = '';
/** What the pool's Secret holds now. */
let secret: Record<string, string>;

async function certify(name: string): Promise<Readonly<{ key: string; cert: string }>> {
  const [key, cert] = [join(dir, `${name}.key`), join(dir, `${name}.pem`)];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const files = ['-keyout', key, '-out', cert];
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', ...subject, ...files]);
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'awp-prometheus-tls-'));
  const own = await certify('own');
  certificate = own.cert;
  foreign = (await certify('foreign')).cert;
  const server = createServer(own, (request, response) => {
    request.resume();
    const known = request.headers.authorization === `Bearer ${token}`;
    const result = [{ value: [Date.now() / 1000, '7'] }];
    response.writeHead(known ? 200 : 401);
    response.end(
      known ? JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }) : 'who are you?',
    );
  }).listen(0, 'localhost');
  await once(server, 'listening');
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterAll(async () => {
  close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  token = 't0ken';
  secret = { token: 't0ken\n', 'ca.crt': certificate };
});

let now = Date.now();
const base64 = (text: string) => Buffer.from(text).toString('base64');
const newSource = () => {
  const get = async <T>() =>
    ({
      metadata: { uid: 'u', resourceVersion: '1' },
      data: Object.fromEntries(Object.entries(secret).map(([key, value]) => [key, base64(value)])),
    }) as T;
  const client = new PrometheusClient({ now: Date.now, keptMs: 0, timeoutMs: 10_000 });
  return new PrometheusSource(client, new SecretCache({ client: { get }, now: () => now }));
};
const poolWith = (refs: Partial<NonNullable<Pool['spec']['scaling']['prometheus']>> = {}): Pool => {
  const pool = samplePool();
  const token = { secretName: 'prometheus', key: 'token' };
  const ca = { secretName: 'prometheus', key: 'ca.crt' };
  const prometheus = { url, token, ca, ...refs };
  return { ...pool, spec: { ...pool.spec, scaling: { ...pool.spec.scaling, source: 'Prometheus', prometheus } } };
};
const said = async (source = newSource(), pool = poolWith()): Promise<number | string> => {
  const answer = await source.waitingOf(pool);
  return answer.ok ? answer.value : answer.because;
};

describe('a Prometheus with TLS and a token', () => {
  it('is asked with the token and trusted by the certificate of the Secret', async () => {
    expect(await said()).toBe(7);
  });

  it('is unknown, and why, with another certificate, an empty one, or none of the system', async () => {
    secret['ca.crt'] = foreign;
    expect(await said()).toMatch(/^Prometheus at localhost:\d+: it does not answer: .*SELF_SIGNED_CERT/);
    secret['ca.crt'] = 'not a certificate';
    expect(await said()).toMatch(/it does not answer: .*CERT/);
    secret['ca.crt'] = '';
    expect(await said()).toBe('Secret prometheus has nothing in its key ca.crt, which Prometheus is to be asked with');
    delete secret['ca.crt'];
    expect(await said()).toBe('Secret prometheus has no key ca.crt, which Prometheus is to be asked with');
  });

  it('is unknown with a wrong token, without repeating it, until the Secret has the right one', async () => {
    const source = newSource();
    token = 'rotated';
    expect(await said(source)).toMatch(/it answers with status 401: who are you\?$/);
    secret['token'] = 'rotated';
    now += 60_000;
    expect(await said(source)).toBe(7);
  });

  it.each(['two words', 'a\nb', 'tök€n', 'a\u0000b'])('says what is wrong with the token %j', async (text) => {
    secret['token'] = text;
    const answer = await said();
    expect(answer).toContain('the token in its Secret is empty, or has a character that no token has');
    expect(answer).not.toContain(text);
  });
});
