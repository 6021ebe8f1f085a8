/** Where a command writes: `out` takes what was asked for, `terminal` is for the person who waits. */
export type Screen = Readonly<{
  out: (text: string) => void;
  terminal: Readonly<{ isTTY?: boolean; columns?: number; write: (text: string) => unknown }>;
}>;

/** What a file says or is called, with nothing in it that a terminal would obey. */
export const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, '\uFFFD');

/** A run that ends sooner needs no bar. */
const SHOWN_AFTER_MS = 500;
const REDRAWN_AFTER_MS = 100;
const WIDTH = 30;

/** A bar on the terminal for what takes long; nothing where nobody sees it. */
export class ProgressBar {
  readonly #terminal: Screen['terminal'];
  readonly #startedAt = performance.now();
  #drawnAt = 0;

  constructor(terminal: Screen['terminal']) {
    this.#terminal = terminal;
  }

  /** `share` is 0 to 1. */
  show(label: string, share: number): void {
    const now = performance.now();
    if (this.#terminal.isTTY !== true || now - this.#startedAt < SHOWN_AFTER_MS) return;
    if (now - this.#drawnAt < REDRAWN_AFTER_MS) return;
    this.#drawnAt = now;
    const known = Math.min(1, Math.max(0, share));
    const done = Math.round(known * WIDTH);
    const bar = '█'.repeat(done) + '░'.repeat(WIDTH - done);
    this.#terminal.write(`\r\u001B[K${bar} ${String(Math.floor(known * 100)).padStart(3)} % ${label}`);
  }

  clear(): void {
    if (this.#drawnAt > 0) this.#terminal.write('\r\u001B[K');
  }
}
