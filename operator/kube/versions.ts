const decimal = /^\d+$/;

/**
 * Compares two resource versions of one resource: negative when `a` is older, 0 when equal, positive when newer.
 * Undefined when either is not a decimal number; then only equality may be asked. Numbers stay strings, because etcd's
 * revisions are 64 bit. (Versions of one resource are comparable since Kubernetes 1.35 by promise, before by fact.)
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!decimal.test(a) || !decimal.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

/** True when `seen` is `wanted` or surely newer. */
export function hasReached(seen: string | undefined, wanted: string): boolean {
  return seen !== undefined && (compareVersions(seen, wanted) ?? -1) >= 0;
}
