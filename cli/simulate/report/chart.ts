import type { Series } from '../recorder.ts';
import { countTicks, type Tick, timeTicks } from './axis.ts';

/** One rule's line; `color` is the class that gives it its colour. */
export type Line = Readonly<{ rule: string; color: string; series: Series }>;

/** In units of the drawing; the script of the page needs them to find a moment under the pointer. */
export const FRAME = { width: 1000, left: 56, right: 16, top: 30, panel: 190, gap: 46, axis: 30 } as const;

type Panel = Readonly<{ title: string; unit: string; top: number; values: (series: Series) => readonly number[] }>;

const PANELS: readonly Panel[] = [
  { title: 'Backlog', unit: 'jobs waiting', top: FRAME.top, values: ({ waiting }) => waiting },
  {
    title: 'Replicas',
    unit: 'starting, working and ending',
    top: FRAME.top + FRAME.panel + FRAME.gap,
    values: ({ replicas }) => replicas,
  },
];

const HEIGHT = FRAME.top + 2 * FRAME.panel + FRAME.gap + FRAME.axis;

/** How long the longest of the replays took. */
export const lengthOf = (lines: readonly Line[]): number =>
  Math.max(1000, ...lines.map(({ series }) => series.stepMs * series.waiting.length));

/** Backlog above, replicas below, on one time axis, as one SVG. */
export function renderChart(lines: readonly Line[]): string {
  const lengthMs = lengthOf(lines);
  const x = (ms: number) => FRAME.left + (ms / lengthMs) * (FRAME.width - FRAME.left - FRAME.right);
  const times = timeTicks(lengthMs);
  const panels = PANELS.map((panel) => renderPanel(panel, { lines, x, times })).join('');
  const labels = times.map(({ at, label }) => text({ x: x(at), y: HEIGHT - 8, label, anchor: 'middle' })).join('');
  return `<svg id="chart" viewBox="0 0 ${FRAME.width} ${HEIGHT}" role="img" aria-label="Backlog and replicas of each rule over time">${panels}${labels}<line id="cross" class="cross" y1="${FRAME.top}" y2="${HEIGHT - FRAME.axis}" x1="0" x2="0" visibility="hidden"/></svg>`;
}

type Drawing = Readonly<{ lines: readonly Line[]; x: (ms: number) => number; times: readonly Tick[] }>;

function renderPanel({ title, unit, top, values }: Panel, { lines, x, times }: Drawing): string {
  const counts = countTicks(Math.max(...lines.flatMap(({ series }) => values(series))));
  const most = counts.at(-1)?.at ?? 1;
  const bottom = top + FRAME.panel;
  const y = (count: number) => bottom - (count / most) * FRAME.panel;
  const right = FRAME.width - FRAME.right;
  const rows = counts.map(
    ({ at, label }) =>
      `<line class="grid" x1="${FRAME.left}" x2="${right}" y1="${round(y(at))}" y2="${round(y(at))}"/>` +
      text({ x: FRAME.left - 8, y: y(at) + 4, label, anchor: 'end' }),
  );
  const columns = times.map(
    ({ at }) => `<line class="tick" x1="${round(x(at))}" x2="${round(x(at))}" y1="${bottom}" y2="${bottom + 5}"/>`,
  );
  // The first rule is drawn last, on top of the others.
  const paths = lines.toReversed().map(({ rule, color, series }) => {
    const path = stepPath(values(series), { x: (index) => x(index * series.stepMs), y });
    return `<path class="line ${color}" data-rule="${rule}" d="${path}"/>`;
  });
  const heading = `<text class="panel" x="${FRAME.left}" y="${top - 12}">${title}<tspan class="unit" dx="8">${unit}</tspan></text>`;
  return heading + rows.join('') + columns.join('') + paths.join('');
}

type Scale = Readonly<{ x: (index: number) => number; y: (count: number) => number }>;

/** A value holds until the next: steps, and only where they change. */
function stepPath(values: readonly number[], { x, y }: Scale): string {
  const first = values[0] ?? 0;
  const steps = values.flatMap((value, index) =>
    index > 0 && value !== values[index - 1] ? [`H${round(x(index))}V${round(y(value))}`] : [],
  );
  return `M${round(x(0))} ${round(y(first))}${steps.join('')}H${round(x(values.length))}`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const text = ({
  x,
  y,
  label,
  anchor,
}: Readonly<{ x: number; y: number; label: string; anchor: 'middle' | 'end' }>): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${label}</text>`;
