import { expect, it } from 'vitest';
import { digestOf } from './digest.ts';

it('is the same in every process and every version: what another leader wrote is compared with it', () => {
  expect(digestOf('')).toBe('e3b0c44298fc1c149afbf4c8996fb924');
  expect(digestOf('a')).not.toBe(digestOf('b'));
});
