import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConfigMaps } from '../fixtures/config-maps.ts';
import { checkReflectorProperty } from '../fixtures/reflector-property.ts';

const runs = 500;
let configMaps: ConfigMaps;
beforeAll(async () => {
  configMaps = await ConfigMaps.connect('reflector-property');
});
afterAll(() => configMaps.close());

it(`equals a fresh list at every quiet point of ${runs} random histories of changes and faults`, {
  timeout: 3_000_000,
}, async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
  console.log(`SEED=${seed}`);
  await expect(checkReflectorProperty(configMaps, runs, seed)).resolves.toBeUndefined();
});
