/** Ids of Redis streams: `<ms>-<sequence>`, ordered by both as unsigned 64-bit numbers, written without leading zeros. */
const parts = (id: string): readonly [string, string] => {
  const [millis = '0', sequence = '0'] = id.split('-', 2);
  return [millis, sequence];
};

/** Of whole numbers as Redis writes them. Asked for a thousand streams at once, numbers of 64 bits would take their time. */
const isLess = (a: string, b: string): boolean => (a.length === b.length ? a < b : a.length < b.length);

/** True when `a` comes before `b`. */
export function isEarlier(a: string, b: string): boolean {
  if (a === b) return false;
  const [aMillis, aSequence] = parts(a);
  const [bMillis, bSequence] = parts(b);
  return aMillis === bMillis ? isLess(aSequence, bSequence) : isLess(aMillis, bMillis);
}
