import { createHash } from 'node:crypto';

/** 128 bits: nobody gains by two texts of one digest, which is all that more would be for. */
const CHARACTERS = 32;

/** A short name of a long text. The same text gives the same digest in every process, and so a status can keep it. */
export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, CHARACTERS);
