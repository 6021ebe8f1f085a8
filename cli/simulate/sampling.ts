import { createHash } from 'node:crypto';

/** Which rows of a trace are kept: a share from above 0 to 1, and the seed that chooses among equal shares. */
export type Sampling = Readonly<{ share: number; seed: number }>;

/**
 * A row (the first job of the file is 1) is kept when the first four bytes of SHA-256(`seed:row`), as a big-endian
 * number, are below share × 2³²: the same rows everywhere, and a smaller share keeps a part of a greater one.
 */
export const isKept = (row: number, { share, seed }: Sampling): boolean =>
  share >= 1 || hashOf(`${seed}:${row}`) < share * 2 ** 32;

/** A whole number below 2³² that the text decides: the same on every machine. */
export const hashOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE(0);
