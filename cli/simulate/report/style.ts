/** Colours of lines are told apart by people who do not see all colours, and have 3:1 on their background. */
export const STYLE = `
:root { color-scheme: light dark; --back: #fcfcfb; --card: #ffffff; --ink: #16181d; --soft: #5b616e; --hair: #e4e6ea;
  --c1: #1f6fd6; --c2: #d9592b; --c3: #0f8f68; --c4: #7b4bc4; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --card: #1b1e24; --ink: #eceef2; --soft: #a0a7b4;
  --hair: #2e323a; --c1: #5aa2ff; --c2: #ff8a5c; --c3: #3ecfa0; --c4: #b493f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 40px 24px 64px; max-width: 1080px; background: var(--back); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: 0 0 8px; font-size: 26px; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 40px 0 12px; font-size: 17px; }
p { margin: 0 0 4px; color: var(--soft); }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.card { margin-top: 24px; padding: 16px; background: var(--card); border: 1px solid var(--hair); border-radius: 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 9px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--hair); }
tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
th:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; }
tbody th { font-weight: 600; }
.bad { color: var(--c2); font-weight: 600; }
.key { display: inline-block; width: 14px; height: 4px; margin-right: 9px; border-radius: 2px; vertical-align: middle;
  background: currentColor; }
.c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-bottom: 8px; }
.legend label { display: inline-flex; align-items: center; min-height: 32px; cursor: pointer; }
.legend input { margin: 0 8px 0 0; accent-color: var(--soft); }
.plot { position: relative; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
svg .panel { fill: var(--ink); font-size: 15px; font-weight: 600; }
svg .unit { fill: var(--soft); font-size: 13px; font-weight: 400; }
.grid, .tick { stroke: var(--hair); stroke-width: 1; }
.line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.line.c1 { stroke-width: 2.4; }
.cross { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
#tip { position: absolute; top: 0; pointer-events: none; padding: 8px 12px; background: var(--card); font-size: 13px;
  border: 1px solid var(--hair); border-radius: 8px; box-shadow: 0 4px 16px rgb(0 0 0 / 0.18); }
#tip table { width: auto; } #tip th, #tip td { padding: 2px 0 2px 14px; border: 0; } #tip th:first-child { padding-left: 0; }
ul { margin: 0; padding-left: 20px; color: var(--soft); max-width: 85ch; } li { margin-bottom: 6px; }
@media (max-width: 640px) { body { padding: 24px 12px; } .card { padding: 16px 12px 16px 20px; }
  svg text, svg .unit { font-size: 30px; } svg .panel { font-size: 32px; } .line { stroke-width: 1.2; } .line.c1 { stroke-width: 1.8; } }
@media print { .legend input, #tip, .cross { display: none; } }
`;
