/** One look at the pool and its queue; `at` in milliseconds since the burst was added. */
export type Look = Readonly<{
  at: number;
  waiting: number;
  active: number;
  completed: number;
  replicas: number;
  ready: number;
  wanted: number;
  because: string;
}>;

export type Milestones = Readonly<{
  firstReplicaMs?: number;
  allReplicasMs?: number;
  peakReplicas: number;
  zeroAgainMs?: number;
}>;

export const NO_MILESTONES: Milestones = { peakReplicas: 0 };

/** Adds what a look shows for the first time. All replicas: as many as were wanted at most are ready. */
export function withLook(before: Milestones, look: Look, done: boolean): Milestones {
  const peakReplicas = Math.max(before.peakReplicas, look.replicas);
  return {
    peakReplicas,
    ...keepFirst('firstReplicaMs', before, look.ready > 0 ? look.at : undefined),
    ...(look.replicas > before.peakReplicas
      ? {}
      : keepFirst('allReplicasMs', before, look.ready > 0 && look.ready >= peakReplicas ? look.at : undefined)),
    ...keepFirst('zeroAgainMs', before, done && look.replicas === 0 && look.ready === 0 ? look.at : undefined),
  };
}

function keepFirst(key: keyof Milestones, before: Milestones, now: number | undefined): Partial<Milestones> {
  const first = before[key] ?? now;
  return first === undefined ? {} : { [key]: first };
}

const COLUMNS = ['time', 'waiting', 'active', 'done', 'ready/wanted', 'why'] as const;

export const header = (): string => line([...COLUMNS]);

/** The reason is told once, and again when it is another one. `saidBefore`: that of the row above. */
export function row(look: Look, saidBefore = ''): string {
  return line([
    `${(look.at / 1000).toFixed(1)} s`,
    String(look.waiting),
    String(look.active),
    String(look.completed),
    `${look.ready}/${look.wanted}`,
    look.because === saidBefore ? '' : look.because,
  ]);
}

const WIDTHS = [8, 8, 7, 6, 13];

const line = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => (i < WIDTHS.length ? cell.padStart(WIDTHS[i] ?? 0) : `  ${cell}`))
    .join(' ')
    .trimEnd();
