import type { KubeTransport } from './transport.ts';

export type ServerVersion = Readonly<{ major: number; minor: number }>;

/** The API server is older than what this program needs. The message says both versions. */
export class ServerTooOldError extends Error {
  constructor(found: ServerVersion, oldest: ServerVersion) {
    super(`this Kubernetes is ${show(found)}; the oldest that works is ${show(oldest)}: upgrade the cluster`);
    this.name = 'ServerTooOldError';
  }
}

/**
 * Reads the API server's version and throws `ServerTooOldError` if it is older than `oldest`. Providers write their own
 * marks behind the numbers (`1`, `29+`); a version that cannot be read is let pass, since it says nothing.
 */
export async function checkServerVersion(
  transport: KubeTransport,
  oldest: ServerVersion,
  signal?: AbortSignal,
): Promise<ServerVersion | undefined> {
  const answer = await transport.request<{ major?: string; minor?: string }>({
    method: 'GET',
    path: '/version',
    signal,
  });
  const found = { major: Number.parseInt(answer.major ?? '', 10), minor: Number.parseInt(answer.minor ?? '', 10) };
  if (Number.isNaN(found.major) || Number.isNaN(found.minor)) return undefined;
  const isOlder = found.major < oldest.major || (found.major === oldest.major && found.minor < oldest.minor);
  if (isOlder) throw new ServerTooOldError(found, oldest);
  return found;
}

const show = ({ major, minor }: ServerVersion): string => `${major}.${minor}`;
