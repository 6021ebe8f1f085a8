import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { readmeOfArchive } from './readme.ts';

it('a README of an archive installs archives, with the image that the values name, and has no link out of it', async () => {
  const texts = ['agent-worker-pool', 'agent-worker-pool-crds'].map((chart) =>
    readFile(`charts/${chart}/README.md`, 'utf8'),
  );
  const [operator = '', crds = ''] = (await Promise.all(texts)).map((text) => readmeOfArchive(text, '1.2.3'));
  expect(operator).toContain(
    'helm install agent-worker-pool agent-worker-pool-1.2.3.tgz -n agent-worker-pool --wait\n',
  );
  for (const text of [operator, crds]) {
    expect(text).toContain('helm install agent-worker-pool-crds agent-worker-pool-crds-1.2.3.tgz ');
    expect(text).not.toMatch(/charts\/|\]\(\.\./);
  }
});
