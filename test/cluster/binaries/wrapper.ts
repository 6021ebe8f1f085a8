import { readFileSync } from 'node:fs';

/** A program that needs libraries from a folder of its own, as a shell script. */
export const wrapperOf = (program: string, libraries: readonly string[]): string =>
  `#!/bin/sh\nLD_LIBRARY_PATH=${libraries.join(':')} exec ${program} "$@"\n`;

/** The program behind a path: the one that a wrapper names with its libraries' folders, else the path itself. */
export const unwrap = (path: string): Readonly<{ program: string; libraryPath: string }> => {
  const start = readFileSync(path).subarray(0, 4096).toString('latin1');
  const match = /^#!\/bin\/sh\nLD_LIBRARY_PATH=(\S*) exec (\S+) "\$@"\n$/.exec(start);
  return match ? { program: match[2] ?? path, libraryPath: match[1] ?? '' } : { program: path, libraryPath: '' };
};
