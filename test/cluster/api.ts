import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { network } from './network.ts';

type Answer = Readonly<{ status: number; body: string }>;

const TIMEOUT_MS = 2_000;

/** Asks the API server as its administrator, through the forwarder. Rejects when it cannot be reached. */
const ask = (stateDir: string, port: number, path: string): Promise<Answer> => {
  const pki = (name: string) => readFileSync(join(stateDir, 'pki', name));
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        timeout: TIMEOUT_MS,
        agent: false,
        ca: pki('ca.crt'),
        cert: pki('admin.crt'),
        key: pki('admin.key'),
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.once('error', reject);
      },
    );
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    sent.once('error', reject);
    sent.end();
  });
};

type Node = { status?: { conditions?: { type: string; status: string }[] } };

const quietly = async (asking: Promise<Answer>): Promise<Answer | undefined> => asking.catch(() => undefined);

export const apiIsReady = async (stateDir: string, port: number): Promise<boolean> =>
  (await quietly(ask(stateDir, port, '/readyz')))?.status === 200;

/** Whether pods can be made and will run: the node is Ready, and so is the service account that they get. */
export const nodeIsReady = async (stateDir: string, port: number): Promise<boolean> => {
  const node = await quietly(ask(stateDir, port, `/api/v1/nodes/${network.nodeName}`));
  if (node?.status !== 200) return false;
  const conditions = (JSON.parse(node.body) as Node).status?.conditions ?? [];
  if (!conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return false;
  const account = await quietly(ask(stateDir, port, '/api/v1/namespaces/default/serviceaccounts/default'));
  return account?.status === 200;
};
