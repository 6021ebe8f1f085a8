import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { programOf } from '../fixtures/programs.ts';
import { lua as luaTool } from '../tools/catalog.ts';

type Health = Readonly<{ status: string; message: string }>;

const quoted = (text: string): string => `"${text.replaceAll(/[\\"\n]/g, (each) => `\\${each}`)}"`;

/** A value as a Lua expression; what is undefined is left out, as Argo CD has it from JSON. */
const toLua = (value: unknown): string => {
  if (Array.isArray(value)) return `{${value.map(toLua).join(', ')}}`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, each]) => each !== undefined);
    return `{${fields.map(([name, each]) => `[${quoted(name)}] = ${toLua(each)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? quoted(value) : String(value);
};

const condition = (type: string, status: string, reason = 'Because', message = `${type} says so`) => ({
  type,
  status,
  reason,
  message,
});

type Pool = Readonly<{ mode?: string; conditions?: readonly object[]; observed?: number; because?: string }>;

const pool = ({ mode, conditions, observed = 2, because }: Pool) => ({
  metadata: { generation: 2 },
  spec: { mode },
  status: conditions && {
    observedGeneration: observed,
    conditions,
    decision: because === undefined ? undefined : { message: because },
  },
});

const ready = [condition('Ready', 'True'), condition('Stalled', 'False')];
const stalled = [condition('Ready', 'False'), condition('Stalled', 'True', 'SecretNotFound', 'make the Secret')];
const rolling = [condition('Ready', 'False', 'RollingOut', '1 of 3 are new'), condition('Stalled', 'False')];

it.for([
  ['that nobody has looked at', pool({}), 'Progressing', 'the operator has not looked at it yet'],
  ['that is Ready', pool({ conditions: ready }), 'Healthy', 'Ready says so'],
  ['that is Ready, with its arithmetic', pool({ conditions: ready, because: '3 → 1' }), 'Healthy', '3 → 1'],
  ['that was just changed', pool({ conditions: ready, observed: 1 }), 'Progressing', /not looked at this generation/],
  ['that is rolling out', pool({ conditions: rolling }), 'Progressing', 'RollingOut: 1 of 3 are new'],
  ['that needs a person', pool({ conditions: stalled }), 'Degraded', 'SecretNotFound: make the Secret'],
  ['that is paused', pool({ mode: 'Paused', conditions: ready }), 'Suspended', /changes nothing/],
  ['that is paused and broken', pool({ mode: 'Paused', conditions: stalled }), 'Degraded', /make the Secret/],
  ['that says nothing of Ready', pool({ conditions: [] }), 'Progressing', /whether it is ready/],
] as const)('Argo CD is told of a pool %s', async ([, object, status, message], ctx) => {
  const lua = await programOf(luaTool, ctx);
  const check = await readFile('deploy/argocd/health.lua', 'utf8');
  const script = `obj = ${toLua(object)}\nlocal health = (function()\n${check}\nend)()\nio.write(health.status, "\\n", health.message)`;
  const [first, ...rest] = (await lua('-e', script)).split('\n');
  const health: Health = { status: first ?? '', message: rest.join('\n') };
  expect(health.status).toBe(status);
  expect(health.message).toMatch(message);
});
