import { messageOf } from './log.ts';

/** The part of a Kubernetes `Status` object that is read here. */
export type StatusBody = Readonly<{
  kind?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: Readonly<{
    retryAfterSeconds?: number;
    causes?: readonly Readonly<{ reason?: string; message?: string; field?: string }>[];
  }>;
}>;

export type KubeErrorFields = Readonly<{
  /** HTTP status, or 0 when no answer came. */
  status: number;
  /** The server's reason (`NotFound`, `Conflict`, `Invalid`, …), or `Timeout` and `Unreachable` with status 0. */
  reason: string;
  message: string;
  retryAfterMs?: number | undefined;
  body?: StatusBody | undefined;
  /** The right that the sender has not, and what to do: said in place of the server's words, which name neither soon. */
  missingRight?: string | undefined;
  cause?: unknown;
}>;

/**
 * The API server refused a request, or did not answer it. The message holds the request's path (never its query or
 * credentials), the status and the server's own words cut to 200 characters; `body` holds all of them.
 */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly body: StatusBody | undefined;
  readonly missingRight: string | undefined;

  constructor(fields: KubeErrorFields) {
    super(fields.message, fields.cause === undefined ? {} : { cause: fields.cause });
    this.name = 'KubeError';
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterMs = fields.retryAfterMs;
    this.body = fields.body;
    this.missingRight = fields.missingRight;
  }
}

/** The server's own words where there are any, whole, or what to do about a missing right; else what the error says of itself. */
export const wordsOf = (error: unknown): string =>
  error instanceof KubeError ? (error.missingRight ?? error.body?.message ?? error.message) : messageOf(error);

const reasonByStatus: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

export type ErrorAnswer = Readonly<{
  method: string;
  path: string;
  status: number;
  text: string;
  retryAfter?: string;
  cureOf?: CureOfMissingRight | undefined;
}>;

/** What its account may not do; without a namespace, in none. */
export type MissingRight = Readonly<{ verb: string; resource: string; group: string; namespace?: string | undefined }>;

/** What to do so that the account may. */
export type CureOfMissingRight = (right: MissingRight) => string;

/** Makes the error for an answer that is not 2xx. `text` is its body, which may be no JSON (a proxy's page). */
export function errorFromAnswer(answer: ErrorAnswer): KubeError {
  const body = parseStatus(answer.text);
  const reason = body?.reason || reasonByStatus[answer.status] || 'Unknown';
  const words = messageOf(body?.message ?? answer.text.trim());
  const missingRight = sayMissingRight(answer, body);
  return new KubeError({
    status: answer.status,
    reason,
    message: missingRight ?? `${answer.method} ${answer.path}: ${answer.status} ${reason}${words ? `: ${words}` : ''}`,
    retryAfterMs: retryAfterMs(answer.retryAfter, body),
    body,
    missingRight,
  });
}

/**
 * How the API server says it for every authorizer: k8s.io/apiserver, `responsewriters.forbiddenMessage`, which writes the
 * name with `%q`. Which right it is stands behind it, where it is one to a resource and nothing has cut the line. What
 * forbids by its own rules, a quota or a policy, says it otherwise.
 */
const NO_RIGHT =
  /\bforbidden: User "(?:[^"\\]|\\.)*" cannot (?:(?<verb>\S+) resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)" (?:in the namespace "(?<namespace>[^"]*)"|at the cluster scope))?/;

function missingRightIn(body: StatusBody | undefined): MissingRight | undefined {
  const { verb, resource, group, namespace } = NO_RIGHT.exec(body?.message ?? '')?.groups ?? {};
  if (verb === undefined || resource === undefined || group === undefined) return undefined;
  return { verb, resource, group, namespace };
}

/** Short enough that no log line and no status cuts it before it has said which right it is, and what to do. */
function sayMissingRight({ status, cureOf }: ErrorAnswer, body: StatusBody | undefined): string | undefined {
  const right = status === 403 ? missingRightIn(body) : undefined;
  if (right === undefined || cureOf === undefined) return undefined;
  const where = right.namespace === undefined ? 'in all namespaces' : `in namespace ${right.namespace}`;
  return `the operator's account may not ${right.verb} ${qualified(right)} ${where}: ${cureOf(right)}`;
}

/** `deployments.apps`, `pods/proxy`, `agentworkerpools.agentpool.dev/status`. */
function qualified({ resource, group }: MissingRight): string {
  const [plural = '', ...subresource] = resource.split('/');
  return [group === '' ? plural : `${plural}.${group}`, ...subresource].join('/');
}

/** Makes the error for an `ERROR` event inside a watch, which carries a `Status` and came with HTTP 200. */
export function errorFromStatus(path: string, body: StatusBody): KubeError {
  const status = body.code ?? 500;
  const reason = body.reason || reasonByStatus[status] || 'Unknown';
  return new KubeError({
    status,
    reason,
    message: `watch ${path}: ${status} ${reason}: ${messageOf(body.message ?? '')}`,
    retryAfterMs: retryAfterMs(undefined, body),
    body,
  });
}

function parseStatus(text: string): StatusBody | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function retryAfterMs(header: string | undefined, body: StatusBody | undefined): number | undefined {
  const seconds = header === undefined ? body?.details?.retryAfterSeconds : Number(header);
  return seconds !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

const hasStatus = (error: unknown, status: number): boolean => error instanceof KubeError && error.status === status;

export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);

/** True for every 409: read again and decide again. */
export const isConflict = (error: unknown): boolean => hasStatus(error, 409);

/** True when a version is too old to list or watch from (HTTP 410, or an `ERROR` event with code 410). */
export const isGone = (error: unknown): boolean => hasStatus(error, 410);

const terminalStatuses: ReadonlySet<number> = new Set([400, 403, 405, 413, 415, 422]);

/**
 * What the API server answers with 500 and no reason, although it is the request that is at fault: server-side apply of
 * an unknown field, of a value of another type, of a list with a key twice, or of one that cannot be converted, whatever
 * `fieldValidation` says; and an object that is too large for the storage.
 */
const faultsOfTheRequest = [
  'failed to create typed patch object',
  'failed to convert new object',
  'field not declared in schema',
  'etcdserver: request is too large',
  'trying to send message larger than max',
];

export const isForbidden = (error: unknown): boolean => hasStatus(error, 403);

/**
 * True when the sender has not the right, which is no verdict on the request: a role may be granted any time, and an API
 * server that has just started refuses whoever it has not read the roles of yet.
 */
export const lacksRight = (error: unknown): boolean =>
  error instanceof KubeError && error.status === 403 && NO_RIGHT.test(error.body?.message ?? error.message);

/** True when the same request would be refused again: invalid, forbidden by a quota or policy, malformed, too large. */
export function isTerminalRefusal(error: unknown): error is KubeError {
  if (!(error instanceof KubeError) || lacksRight(error)) return false;
  if (terminalStatuses.has(error.status)) return true;
  const words = error.status === 500 ? (error.body?.message ?? '') : '';
  return faultsOfTheRequest.some((fault) => words.includes(fault));
}
