import { createHash, timingSafeEqual } from 'node:crypto';
import { open } from 'node:fs/promises';

/** A shorter line is no token: an empty file must not let everybody in. */
const MIN_LENGTH = 16;

/** How long a token holds after the file no longer has it, so that old and new overlap while a change spreads. */
const GRACE_MS = 120_000;

export type TokenCheck = 'right' | 'wrong' | 'unavailable';

type Digest = Buffer;
type Content = Readonly<{ tokens: readonly Digest[]; changedAt: number }>;

/**
 * The tokens that allow to cordon, in a file that is read at each check: each line of at least 16 characters is one. It
 * is mounted from a Secret, so it changes while the worker runs; the time of its change is that of the file, not of the
 * call that notices it.
 */
export class TokenFile {
  readonly #path: string;
  readonly #now: () => number;
  #last: Content | undefined;
  #retired: readonly Readonly<{ token: Digest; until: number }>[] = [];

  constructor(path: string, now: () => number = Date.now) {
    this.#path = path;
    this.#now = now;
  }

  /** Takes note of what the file has now. Never rejects. */
  async check(given: string | undefined): Promise<TokenCheck> {
    const content = await this.#read();
    if (!content || content.tokens.length === 0) return 'unavailable';
    this.#retire(content);
    const holding = [...content.tokens, ...this.#retired.map(({ token }) => token)];
    const offered = digest(given ?? '');
    // Every one is compared, and by digests of one length: the time tells neither which nor how much of it matched.
    const matches = holding.filter((token) => timingSafeEqual(token, offered));
    return matches.length > 0 ? 'right' : 'wrong';
  }

  #retire(content: Content): void {
    const left = this.#last?.tokens.filter((token) => !content.tokens.some((other) => other.equals(token))) ?? [];
    const until = content.changedAt + GRACE_MS;
    const now = this.#now();
    this.#retired = [...this.#retired, ...left.map((token) => ({ token, until }))].filter((old) => old.until > now);
    this.#last = content;
  }

  async #read(): Promise<Content | undefined> {
    try {
      await using file = await open(this.#path, 'r');
      const [text, { mtimeMs }] = await Promise.all([file.readFile('utf8'), file.stat()]);
      const lines = text.split('\n').map((line) => line.trim());
      return { tokens: lines.filter((line) => line.length >= MIN_LENGTH).map(digest), changedAt: mtimeMs };
    } catch {
      return undefined;
    }
  }
}

const digest = (text: string): Digest => createHash('sha256').update(text).digest();
