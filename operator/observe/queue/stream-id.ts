/** Ids of Redis streams: `<ms>-<sequence>`, ordered by both as unsigned 64-bit numbers. */
const parts = (id: string): readonly [bigint, bigint] => {
  const [millis = '0', sequence = '0'] = id.split('-', 2);
  return [BigInt(millis), BigInt(sequence)];
};

/** True when `a` comes before `b`. */
export function isEarlier(a: string, b: string): boolean {
  const [aMillis, aSequence] = parts(a);
  const [bMillis, bSequence] = parts(b);
  return aMillis === bMillis ? aSequence < bSequence : aMillis < bMillis;
}
