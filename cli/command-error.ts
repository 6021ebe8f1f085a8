/** A command cannot go on, and the message alone says to the person what to do: no stack is shown. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
