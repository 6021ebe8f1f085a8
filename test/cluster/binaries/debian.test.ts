import { describe, expect, it } from 'vitest';
import { mirrorIn } from './debian.ts';

describe('the Debian mirror', () => {
  it('is found in the one-line format, options or not', () => {
    expect(mirrorIn('deb http://mirror.example/debian bookworm main')).toBe('http://mirror.example/debian');
    expect(mirrorIn('deb [signed-by=/k.gpg arch=amd64] https://mirror.example/debian/ bookworm main\n')).toBe(
      'https://mirror.example/debian/',
    );
  });

  it('is found in the deb822 format, after comments and other archives', () => {
    const sources = `Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian-security
Suites: bookworm-security

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
`;
    expect(mirrorIn(sources)).toBe('http://mirror.example/debian');
  });

  it('is not made up where there is none', () => {
    expect(mirrorIn('deb http://mirror.example/ubuntu noble main\n# deb http://x/debian y main')).toBeUndefined();
  });
});
