import { expect, it } from 'vitest';
import { notesOf } from './changelog.ts';

const changelog = '# Changelog\n\n## 0.2.0 (not released)\n\n- New.\n- Newer.\n\n## 0.1.0\n\n- First.\n\n## 0.0.9\n';

it.each([
  ['0.2.0', '- New.\n- Newer.'],
  ['0.1.0', '- First.'],
])('the notes of %s are its own section', (version, notes) => {
  expect(notesOf(changelog, version)).toBe(notes);
});

it.each(['0.0.9', '0.0', '1.0.0'])('a release without a word on it is none: %s', (version) => {
  expect(() => notesOf(changelog, version)).toThrow(`says nothing of ${version}`);
});
