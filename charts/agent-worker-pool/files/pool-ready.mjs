// Waits until the pool is Ready and ends with 0; after the limit, says how far it came and ends with 1.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const { POOL = '', TIMEOUT_SECONDS, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const [namespace, name] = POOL.split('/');
const address = host.includes(':') ? `[${host}]` : host;
const url = `https://${address}:${port}/apis/agentpool.dev/v1alpha1/namespaces/${namespace}/agentworkerpools/${name}`;
const token = readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');

/** Whether the pool is Ready, and a sentence. */
async function look() {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(5000) });
  if (!answer.ok) return { says: `the API server answered ${answer.status}` };
  const { metadata, status } = await answer.json();
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  if (!condition) return { says: 'it has no status: does the operator run, and does it look at this namespace?' };
  const ready = condition.status === 'True' && status.observedGeneration === metadata.generation;
  return { ready, says: `${condition.reason}: ${condition.message}` };
}

const end = Date.now() + Number(TIMEOUT_SECONDS) * 1000;
let last = {};
do {
  last = await look().catch((error) => ({
    says: `no answer of the API server: ${error.cause?.message ?? error.message}`,
  }));
  if (!last.ready) await sleep(500);
} while (!last.ready && Date.now() < end);
console.log(`pool ${POOL} is ${last.ready ? 'Ready' : `not Ready after ${TIMEOUT_SECONDS} s`}: ${last.says}`);
process.exitCode = last.ready ? 0 : 1;
