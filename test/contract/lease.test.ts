// Leader election between real processes on a Lease of the real API server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import { credentialsFromKubeConfig } from '../../operator/kube/credentials.ts';
import type { LeaseSpec } from '../../operator/kube/lease-record.ts';
import { leases, type ResourceType } from '../../operator/kube/resources.ts';
import { createTransport, type KubeTransport } from '../../operator/kube/transport.ts';
import { until } from '../cluster/until.ts';

const leaseMs = 6_000;
const configMaps: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

type Told = Readonly<{ event: string; at: number; epoch?: number; because?: string; code?: number; leads?: boolean }>;
class Candidate {
  readonly told: Told[] = [];
  readonly child: ChildProcess;

  constructor(name: string, env: Readonly<Record<string, string>> = {}) {
    const script = new URL('../fixtures/lease-candidate.ts', import.meta.url).pathname;
    const variables = {
      LEASE_NAME: leaseName,
      CANDIDATE: name,
      LEASE_MS: String(leaseMs),
      HEARTBEAT_MS: '8000',
      ...env,
    };
    this.child = spawn(process.execPath, [script], {
      env: { ...process.env, ...variables },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.child.stdout) {
      createInterface({ input: this.child.stdout }).on('line', (line) => this.told.push(JSON.parse(line) as Told));
    }
  }

  heard(event: string, limitMs = 10_000): Promise<Told> {
    return until(() => this.told.find((told) => told.event === event), { what: event, limitMs, everyMs: 5 });
  }

  command(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async ended(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  end(): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
  }
}

let leaseName: string;
let number = 0;
let candidates: Candidate[];
let transport: KubeTransport;
let client: KubeClient;

beforeEach(() => {
  number += 1;
  leaseName = `contract-${process.pid}-${number}`;
  candidates = [];
  transport = createTransport({
    credentials: credentialsFromKubeConfig({ kubeconfig: process.env['AWP_KUBECONFIG'] ?? '' }),
  });
  client = createKubeClient({ transport });
});
afterEach(async () => {
  for (const candidate of candidates) candidate.end();
  await Promise.all(candidates.map((candidate) => candidate.ended()));
  await transport.close();
});

const join = (name: string, env?: Readonly<Record<string, string>>): Candidate => {
  const candidate = new Candidate(name, env);
  candidates.push(candidate);
  return candidate;
};
const lease = async (): Promise<LeaseSpec> => {
  const found = await client.get<{ spec: LeaseSpec }>(leases, { namespace: 'default', name: leaseName });
  if (!found) throw new Error('there is no lease');
  return found.spec;
};
/** A leader, and one who stands by and has seen the lease. */
async function leaderAndStandby(env?: Readonly<Record<string, string>>): Promise<[Candidate, Candidate]> {
  const leader = join('first', env);
  await leader.heard('acquired');
  const standby = join('second');
  await standby.heard('started');
  const { renewTime } = await lease();
  await until(async () => (await lease()).renewTime !== renewTime, { what: 'a renewal', limitMs: 5_000 });
  return [leader, standby];
}

describe('leader election on a real Lease', () => {
  it('hands over within 2 s of a SIGTERM, with the next epoch', async () => {
    const [leader, standby] = await leaderAndStandby();
    const asked = Date.now();
    leader.child.kill('SIGTERM');
    const { at, epoch } = await standby.heard('acquired', 3 * 2_000);
    expect(at - asked).toBeLessThan(3 * 2_000);
    expect(epoch).toBe(1);
    await leader.ended();
    expect(leader.child.exitCode).toBe(0);
    expect((await lease()).holderIdentity).toMatch(/^second_/);
  });

  it('hands over after kill -9 within the lease’s duration and one retry', async () => {
    const [leader, standby] = await leaderAndStandby();
    const killed = Date.now();
    leader.child.kill('SIGKILL');
    const { at } = await standby.heard('acquired', 20_000);
    expect(at - killed).toBeLessThanOrEqual(leaseMs + 3 * 1_000);
  });

  it('ends a leader that was stopped for longer than its lease, and refuses the write that it had begun', async () => {
    const [leader, standby] = await leaderAndStandby({ LINGER_MS: '1000' });
    const metadata = { namespace: 'default', name: leaseName };
    const first = await client.create<{ metadata: { resourceVersion: string } }>(configMaps, { metadata });
    const { resourceVersion } = first.metadata;
    leader.command(`stop-in-gap default/${leaseName} ${resourceVersion}`);
    await leader.heard('stopping-in-gap');
    await standby.heard('acquired', 10_000);
    // the new leader reads, and then marks what its predecessor may have been at work on
    const marked = { metadata: { ...metadata, resourceVersion, annotations: { epoch: '1' } } };
    await client.mergePatch(configMaps, marked);
    leader.child.kill('SIGCONT');
    expect((await leader.heard('refused')).because).toContain('409 Conflict');
    expect((await leader.heard('lost')).because).toBeDefined();
    await leader.ended();
    expect(leader.child.exitCode).toBe(1);
    expect(leader.told.some(({ event }) => event === 'written')).toBe(false);
  });

  it('replaces a leader whose main loop hangs for ever, and ends its process', async () => {
    const [leader, standby] = await leaderAndStandby();
    leader.command('hang');
    const { at: since } = await leader.heard('hanging');
    const { at } = await standby.heard('acquired', 25_000);
    expect(at - since).toBeLessThan(8_000 + leaseMs + 3 * 2_000);
    await leader.ended();
    expect(leader.child.signalCode).toBe('SIGKILL');
  });

  it('keeps the lease through a main loop that is busy for less than its heartbeat allows', async () => {
    const [leader, standby] = await leaderAndStandby();
    leader.command('busy 7000');
    await leader.heard('busy');
    expect((await leader.heard('idle')).leads).toBe(true);
    const { holderIdentity, leaseTransitions } = await lease();
    expect([holderIdentity?.startsWith('first_'), leaseTransitions]).toEqual([true, 0]);
    expect(standby.told.some(({ event }) => event === 'acquired')).toBe(false);
  });
});
