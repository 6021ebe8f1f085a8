import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressBar } from './terminal.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function bar(isTTY: boolean) {
  const drawn: string[] = [];
  return { drawn, bar: new ProgressBar({ isTTY, write: (text: string) => drawn.push(text) }) };
}

describe('the progress bar', () => {
  it('appears when it takes longer than a moment, says what is done, and is wiped', () => {
    const { drawn, bar: progress } = bar(true);
    progress.show('ours', 0.1);
    vi.advanceTimersByTime(600);
    progress.show('ours', 0.5);
    progress.show('ours', 0.6);
    progress.clear();
    expect(drawn).toEqual([`\r\u001B[K${'█'.repeat(15)}${'░'.repeat(15)}  50 % ours`, '\r\u001B[K']);
  });

  it('says no more than that all is done, also of a file that grew while it was read', () => {
    const { drawn, bar: progress } = bar(true);
    vi.advanceTimersByTime(600);
    progress.show('reading the trace', 1.2);
    expect(drawn).toEqual([`\r\u001B[K${'█'.repeat(30)} 100 % reading the trace`]);
  });

  it('draws nothing for what is quick, or where no person looks', () => {
    const quick = bar(true);
    quick.bar.show('ours', 0.9);
    quick.bar.clear();
    const piped = bar(false);
    vi.advanceTimersByTime(60_000);
    piped.bar.show('ours', 0.5);
    piped.bar.clear();
    expect([...quick.drawn, ...piped.drawn]).toEqual([]);
  });
});
