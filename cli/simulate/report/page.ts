import type { Comparison } from '../comparison.ts';
import { ASSUMPTIONS } from '../assumptions.ts';
import { COLUMNS, describe } from '../table.ts';
import { FRAME, lengthOf, type Line, renderChart } from './chart.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** Nothing is loaded from anywhere. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** A page that stands alone: what was asked, the table, and each rule's backlog and replicas on one time axis. */
export function renderReport(comparison: Comparison, command: string): string {
  const { pool, trace, rules } = comparison;
  const lines = rules.map(({ rule, series }, index) => ({ rule, color: `c${(index % 4) + 1}`, series }));
  const title = `What if: ${escape(trace.name)} on ${escape(pool.name)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${describe(comparison)
  .map((sentence) => `<p>${escape(sentence)}</p>`)
  .join('\n')}
<div class="card scroll">${renderTable(comparison, lines)}</div>
<div class="card"><div class="legend">${lines.map(renderKey).join('')}</div>
<div class="plot">${renderChart(lines)}<div id="tip" hidden></div></div></div>
<h2>What is simulated</h2>
<ul>${ASSUMPTIONS.map((each) => `<li>${escape(each)}</li>`).join('')}</ul>
<h2>Made by</h2>
<p><code>${escape(command)}</code></p>
<script type="application/json" id="data">${renderData(lines)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function renderTable({ rules }: Comparison, lines: readonly Line[]): string {
  const head = COLUMNS.map(({ title }) => `<th scope="col">${title}</th>`).join('');
  const rows = rules.map((measures, row) => {
    const cells = COLUMNS.slice(1).map(
      ({ cell, isBad }) => `<td${isBad?.(measures) === true ? ' class="bad"' : ''}>${cell(measures)}</td>`,
    );
    return `<tr><th scope="row"><span class="key ${lines[row]?.color ?? ''}"></span>${measures.rule}</th>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

/** Without the script there is nothing to choose. */
const renderKey = ({ rule, color }: Line): string =>
  `<label><input type="checkbox" value="${rule}" checked disabled><span class="key ${color}"></span>${rule}</label>`;

function renderData(lines: readonly Line[]): string {
  const drawn = lines.map(({ rule, color, series: { stepMs, waiting, replicas } }) => ({
    rule,
    color,
    stepMs,
    waiting,
    replicas,
  }));
  return JSON.stringify({ frame: FRAME, lengthMs: lengthOf(lines), lines: drawn }).replaceAll('<', '\\u003C');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
