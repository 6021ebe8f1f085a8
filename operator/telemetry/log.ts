import { type Logger, pino, stdTimeFunctions } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** JSON lines on stdout. Messages are constant sentences; what varies is a field, under the words of the resource. */
export const createLog = (level: LogLevel): Logger =>
  pino({
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // The cause of an error can hold a request with its headers: only the name and the message are printed.
    serializers: {
      err: (error: unknown) =>
        error instanceof Error ? { type: error.name, message: error.message } : { message: String(error) },
    },
  });
