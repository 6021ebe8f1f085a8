import { errorFromStatus, type StatusBody } from './errors.ts';
import type { RestartReason } from './metrics.ts';

/** The metadata of an object as the API server sends it. */
export type RawMetadata = Readonly<{
  namespace?: string;
  name?: string;
  uid?: string;
  resourceVersion?: string;
  annotations?: Readonly<Record<string, string>>;
}>;
export type RawObject = Readonly<{ metadata?: RawMetadata }>;

/** One line of a watch. */
export type WatchEvent = Readonly<{ type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: RawObject }>;

/** A watch that cannot go on. `relist`: what is known may be wrong, read everything again. */
export class WatchFault extends Error {
  readonly reason: RestartReason;
  readonly relist: boolean;

  constructor(reason: RestartReason, options: { relist: boolean; message: string; cause?: unknown }) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'WatchFault';
    this.reason = reason;
    this.relist = options.relist;
  }
}

const longestLine = 32 * 1024 * 1024;
const newline = 0x0a;

/**
 * Reads a watch line by line. Lines are cut from the bytes, not from decoded text, so that a character split between
 * two chunks survives. A last line without its newline is an answer cut short and is dropped: the watch resumes from
 * the version before it. `ERROR` events are thrown as `KubeError`.
 */
export async function* readWatchEvents(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  let rest: Buffer[] = [];
  let restLength = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const piece = chunk.subarray(from, end);
      const line = restLength === 0 ? piece : Buffer.concat([...rest, piece], restLength + piece.length);
      rest = [];
      restLength = 0;
      from = end + 1;
      if (line.length > 0) yield parseLine(path, line);
    }
    if (from >= chunk.length) continue;
    rest.push(chunk.subarray(from));
    restLength += chunk.length - from;
    if (restLength > longestLine) throw malformed(`a line of watch ${path} is longer than ${longestLine} bytes`);
  }
}

function parseLine(path: string, line: Buffer): WatchEvent {
  let event: { type?: string; object?: RawObject };
  try {
    event = JSON.parse(line.toString('utf8')) as typeof event;
  } catch (cause) {
    throw malformed(`a line of watch ${path} is not JSON`, cause);
  }
  const { type, object } = event ?? {};
  if (typeof object !== 'object' || object === null) throw malformed(`an event of watch ${path} has no object`);
  switch (type) {
    case 'ERROR':
      throw errorFromStatus(path, object as StatusBody);
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      if (typeof object.metadata?.resourceVersion !== 'string') {
        throw malformed(`an event of watch ${path} has no resourceVersion`);
      }
      return { type, object };
    default:
      throw malformed(`an event of watch ${path} is of no known type`);
  }
}

const malformed = (message: string, cause?: unknown) => new WatchFault('malformed', { relist: false, message, cause });
