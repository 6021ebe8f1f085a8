/**
 * Shows the numbers under the pointer and hides rules; the page says everything without it. It reads `#data`:
 * `{frame, lengthMs, lines: [{rule, color, stepMs, waiting, replicas}]}`.
 */
export const SCRIPT = `
const { frame, lengthMs, lines } = JSON.parse(document.getElementById('data').textContent);
const chart = document.getElementById('chart'), cross = document.getElementById('cross'), tip = document.getElementById('tip');
const hidden = new Set();
for (const box of document.querySelectorAll('.legend input')) {
  box.disabled = false;
  box.addEventListener('change', () => {
    box.checked ? hidden.delete(box.value) : hidden.add(box.value);
    for (const path of chart.querySelectorAll('.line')) path.style.display = hidden.has(path.dataset.rule) ? 'none' : '';
  });
}
const two = (n) => String(Math.floor(n)).padStart(2, '0');
const clock = (ms) => two(ms / 3600000) + ':' + two(ms / 60000 % 60) + ':' + two(ms / 1000 % 60);
const row = (cells, tag) => {
  const line = document.createElement('tr');
  cells.forEach((cell, i) => {
    const box = document.createElement(i === 0 ? 'th' : tag);
    if (cell.color) { const key = document.createElement('span'); key.className = 'key ' + cell.color; box.append(key); }
    box.append(cell.text ?? cell);
    line.append(box);
  });
  return line;
};
const leave = () => { tip.hidden = true; cross.setAttribute('visibility', 'hidden'); };
const show = (event) => {
  const area = chart.getBoundingClientRect();
  const x = (event.clientX - area.left) / area.width * frame.width;
  const share = (x - frame.left) / (frame.width - frame.left - frame.right);
  if (share < 0 || share > 1) return leave();
  const at = share * lengthMs, table = document.createElement('table');
  table.append(row([clock(at), 'waiting', 'replicas'], 'th'));
  for (const line of lines) {
    const i = Math.floor(at / line.stepMs);
    const over = i >= line.waiting.length;
    if (!hidden.has(line.rule)) table.append(row([{ color: line.color, text: line.rule }, over ? 'done' : String(line.waiting[i]), over ? '' : String(line.replicas[i])], 'td'));
  }
  tip.replaceChildren(table);
  tip.hidden = false;
  const left = event.clientX - area.left;
  tip.style.left = (left + 16 + tip.offsetWidth > area.width ? left - 16 - tip.offsetWidth : left + 16) + 'px';
  for (const end of ['x1', 'x2']) cross.setAttribute(end, String(x));
  cross.setAttribute('visibility', 'visible');
};
chart.addEventListener('pointermove', show);
chart.addEventListener('pointerdown', show);
chart.addEventListener('pointerleave', leave);
`;
