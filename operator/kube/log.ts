/** What this folder asks of a logger. pino's loggers are of this shape. */
export type Logger = Readonly<{
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}>;

/** A logger that says nothing, for tests and for parts that are used alone. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The first line of an error's message, cut so that a log line or a status never carries a whole page. */
export function messageOf(error: unknown, limit = 200): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}
