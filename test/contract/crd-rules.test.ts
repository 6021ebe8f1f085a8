import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDuration } from '../../operator/api/duration.ts';
import { isTerminalRefusal } from '../../operator/kube/errors.ts';
import {
  type Api,
  causesOf,
  connect,
  installCrd,
  type KubeObject,
  makeNamespace,
  objectPath,
  refusalOf,
} from './api-server.ts';
import { refusedByRule, refusedBySchema, schedulesAllowed, specWith } from './crd-cases.ts';

describe('a wrong pool', () => {
  let api: Api;
  let namespace: KubeObject;

  const pool = (spec: unknown, name = 'wrong'): KubeObject => ({
    apiVersion: 'agentpool.dev/v1alpha1',
    kind: 'AgentWorkerPool',
    metadata: { name, namespace: namespace.metadata.name },
    spec,
  });
  const tryToCreate = (object: KubeObject) => api.create(object, { dryRun: 'All' });

  beforeAll(async () => {
    api = connect();
    await installCrd(api);
    namespace = await makeNamespace(api, 'rules');
  });
  afterAll(async () => {
    await api.remove(namespace);
    await api.close();
  });

  it('stands beside a right one that is accepted, so that a refusal is for the fault', async () => {
    await expect(tryToCreate(pool(specWith()))).resolves.toBeDefined();
    await expect(tryToCreate(pool(specWith(), 'n'.repeat(52)))).resolves.toBeDefined();
    for (const spec of schedulesAllowed) await expect(tryToCreate(pool(spec))).resolves.toBeDefined();
  });

  it.each(refusedByRule)('is refused with a sentence: $what', async ({ name, spec, field, sentence }) => {
    const refusal = await refusalOf(tryToCreate(pool(spec, name)));
    expect(refusal.status).toBe(422);
    const causes = causesOf(refusal);
    expect(causes.map((cause) => cause.field)).toEqual([field === '' ? '<nil>' : field]);
    expect(causes[0]?.message.endsWith(sentence), `${causes[0]?.message} ends with ${sentence}`).toBe(true);
  });

  it.each(refusedBySchema)('is refused, naming the field: $what', async ({ spec, field }) => {
    const refusal = await refusalOf(tryToCreate(pool(spec)));
    expect(refusal.status).toBe(422);
    expect(causesOf(refusal).map((cause) => cause.field)).toContain(field);
  });

  it.each([
    ['misspelled', specWith({ scaling: { maxReplica: 3 } }), 'spec.scaling.maxReplica'],
    ['of a later version', specWith({ forecast: { mode: 'Shadow' } }), 'spec.forecast'],
  ])('is refused under strict validation when a field is unknown: %s', async (_what, spec, field) => {
    const refusal = await refusalOf(tryToCreate(pool(spec)));
    expect(refusal.status).toBe(400);
    expect(refusal.body?.message).toContain(`unknown field "${field}"`);
  });

  it.each([
    ['containers', { containers: [1, 2].map(() => ({ name: 'worker', image: 'i' })) }, '.containers[1]'],
    [
      'variables',
      { containers: [{ name: 'worker', image: 'i', env: [1, 2].map((n) => ({ name: 'A', value: `${n}` })) }] },
      '.containers[0].env[1]',
    ],
  ])('is refused when two %s have one name', async (_what, podSpec, place) => {
    const refusal = await refusalOf(tryToCreate(pool(specWith({ workers: { template: { spec: podSpec } } }))));
    expect(causesOf(refusal)).toEqual([
      { field: `spec.workers.template.spec${place}`, message: expect.stringContaining('Duplicate value') },
    ]);
  });

  it('is refused as an edit too, and the right one stays as it was', async () => {
    const right = pool(specWith({ scaling: { minReplicas: 2 } }), 'edited');
    const stored = await api.create(right);
    const lower = { spec: { scaling: { maxReplicas: 1 } } };
    const contentType = 'application/merge-patch+json';
    const refusal = await refusalOf(
      api.request({ method: 'PATCH', path: objectPath(right), body: lower, contentType }),
    );
    expect(refusal.status).toBe(422);
    expect(refusal.body?.message).toContain('minReplicas must not be greater than maxReplicas');
    expect(await api.get(right)).toEqual(stored);
  });

  it('is refused for good: the operator would not send it again', async () => {
    const refusal = await refusalOf(tryToCreate(pool(specWith({ mode: 'Manual' }))));
    expect(isTerminalRefusal(refusal)).toBe(true);
  });

  it('is wrong for the API server exactly when it is for the parser, whatever text stands for a duration', async () => {
    const unit = fc.constantFrom('h', 'm', 's', 'ms', 'min', ' ', '.', '-', "'", '\\', '"', 'é');
    const piece = fc.tuple(fc.stringMatching(/^[0-9]{0,7}$/), unit).map((parts) => parts.join(''));
    const text = fc.oneof(
      { weight: 4, arbitrary: fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join('')) },
      { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
    );
    const isAccepted = async (targetWait: string): Promise<boolean> => {
      try {
        await tryToCreate(pool(specWith({ scaling: { targetWait } })));
        return true;
      } catch {
        return false;
      }
    };
    await fc.assert(
      fc.asyncProperty(text, async (targetWait) => {
        const millis = parseDuration(targetWait);
        const right = millis !== undefined && millis >= 1000 && millis <= 86_400_000;
        expect(await isAccepted(targetWait)).toBe(right);
      }),
      { numRuns: 300 },
    );
  });
});
