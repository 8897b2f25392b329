(() => {
'use strict';
const SVG = 'http://www.w3.org/2000/svg', HTML = 'http://www.w3.org/1999/xhtml';
const ROW = 18, NARROWEST = 0.35, LEAST_CUT = 5;
const root = document.documentElement, area = document.getElementById('frames');
const head = document.getElementById('head'), tip = document.getElementById('tip'), tool = document.getElementById('tool');
const total = Number(root.dataset.total);

function make(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

// Boxes come in the order of a walk through the tree: a box's descendants follow it without a gap.
const boxes = [], path = [];
for (const element of area.querySelectorAll('svg.f')) {
  const note = element.firstElementChild, lines = note.textContent.split('\n');
  const depth = Math.round(Number(element.getAttribute('y')) / ROW);
  const label = element.querySelector('text') || make('text', { x: 4, y: 12.6 }, element);
  const box = {
    element, label, depth, index: boxes.length, end: 0, parent: depth > 0 ? path[depth - 1] : null,
    x: parseFloat(element.getAttribute('x')), w: parseFloat(element.getAttribute('width')),
    name: lines[0], place: lines[1], value: lines[2],
    short: element.dataset.place || '', kind: element.getAttribute('class'), shown: true, hit: false,
  };
  note.remove();
  path.length = depth;
  path[depth] = box;
  boxes.push(box);
}
for (let i = boxes.length - 1; i >= 0; i--) {
  const box = boxes[i];
  box.end = Math.max(box.end, i + 1);
  if (box.parent) box.parent.end = Math.max(box.parent.end, box.end);
}

const ruler = make('text', { x: 0, y: -100 }, make('svg', { class: 'f', width: 9000, height: 1 }, root), 'M'.repeat(100));
let cell = ruler.getComputedTextLength() / 100 || 7;
ruler.parentNode.remove();

const graphemes = window.Intl && Intl.Segmenter ? new Intl.Segmenter() : null;
function parts(text) {
  return graphemes ? Array.from(graphemes.segment(text), s => s.segment) : Array.from(text);
}
function cellsOf(text) {
  let cells = 0;
  for (const c of text) {
    const n = c.codePointAt(0);
    cells += n < 0x1100 ? 1 : n < 0x1160 || n >= 0x2600 && n < 0x27c0 || n >= 0x2e80 && n < 0xa4d0
      || n >= 0xac00 && n < 0xd7a4 || n >= 0xf900 && n < 0xfb00 || n >= 0xfe30 && n < 0xfe70
      || n >= 0xff00 && n < 0xffe7 || n >= 0x1f000 ? 2 : 1;
  }
  return cells;
}
function cut(text, cells) {
  if (cellsOf(text) <= cells) return text;
  if (cells < LEAST_CUT) return '';
  const all = parts(text);
  let first = 0, last = all.length, used = 0;
  while (first < last) {
    const fromHead = first <= all.length - last;
    const width = cellsOf(fromHead ? all[first] : all[last - 1]);
    if (used + width > cells - 1) break;
    used += width;
    if (fromHead) first++; else last--;
  }
  return all.slice(0, first).join('') + '\u2026' + all.slice(last).join('');
}
function fit(box, pixels) {
  const cells = Math.floor((pixels - 8) / cell);
  const whole = box.short ? box.name + ' (' + box.short + ')' : box.name;
  return cellsOf(whole) <= cells ? whole : cut(box.name, cells);
}

let zoomed = boxes[0], width = 0;
const back = [];
function draw() {
  width = root.clientWidth * 0.98;
  const scale = 100 / zoomed.w;
  const above = new Set();
  for (let b = zoomed.parent; b; b = b.parent) above.add(b);
  for (const box of boxes) {
    const inside = box.index >= zoomed.index && box.index < zoomed.end, past = above.has(box);
    const x = past ? 0 : (box.x - zoomed.x) * scale, w = past ? 100 : box.w * scale;
    const show = past || inside && (w * width / 100 >= NARROWEST || box === zoomed);
    if (show !== box.shown) { box.element.style.display = show ? '' : 'none'; box.shown = show; }
    if (!show) continue;
    box.element.setAttribute('x', x + '%');
    box.element.setAttribute('width', w + '%');
    const text = fit(box, w * width / 100);
    if (text !== box.label.textContent) box.label.textContent = text;
    box.past = past;
    paint(box);
  }
  fitHead();
}
function paint(box) {
  box.element.setAttribute('class', box.kind + (box.past ? ' past' : '') + (box.hit ? ' hit' : searching && !box.past ? ' dim' : '')
    + (box === now ? ' now' : ''));
}
function zoom(box, keep) {
  if (box === zoomed) return;
  if (keep !== false) back.push(zoomed);
  zoomed = box;
  hideTip();
  draw();
  report();
}

// Titles are measured, not estimated: their font is proportional.
const titles = Array.from(head.querySelectorAll('text[data-fit]'), element => ({ element, text: element.textContent }));
for (const title of titles) title.text = title.element.dataset.fit;
function fitHead() {
  const room = root.clientWidth * 0.98;
  for (const { element, text } of titles) {
    element.textContent = text;
    let length = parts(text).length;
    while (length > 8 && element.getComputedTextLength() > room) {
      length = Math.min(length - 1, Math.floor(length * room / element.getComputedTextLength()));
      const all = parts(text), tail = Math.floor(length / 2);
      element.textContent = all.slice(0, length - tail).join('') + '\u2026' + all.slice(all.length - tail).join('');
    }
  }
}

let now = null;
function wrap(text, cells) {
  const lines = [], all = parts(text);
  for (let i = 0; i < all.length && lines.length < 4; i += cells) lines.push(all.slice(i, i + cells).join(''));
  return lines;
}
function showTip(box, x, y) {
  const view = { w: root.clientWidth || window.innerWidth, h: window.innerHeight };
  const most = Math.max(24, Math.floor(Math.min(view.w - 40, 620) / 7.6));
  const share = zoomed.parent ? '\n' + percent(box.w / zoomed.w) + ' of what is shown' : '';
  tip.replaceChildren();
  const card = make('rect', { rx: 7 }, tip);
  let line = 0, widest = 0;
  for (const [text, style] of [[box.name, 'name'], [box.place, 'soft'], [box.value + share, '']]) {
    if (!text) continue;
    for (const part of text.split('\n').flatMap(t => wrap(t, most))) {
      const element = make('text', { x: 11, y: 21 + 18 * line++, class: style }, tip, part);
      widest = Math.max(widest, element.getComputedTextLength());
    }
  }
  const w = widest + 22, h = 18 * line + 12;
  card.setAttribute('width', w);
  card.setAttribute('height', h);
  let left = x + 14, top = y + 16;
  if (left + w > view.w - 6) left = Math.max(6, Math.min(x - w - 10, view.w - w - 6));
  // What would lie below the picture's own end is not drawn.
  if (top + h > Math.min(window.scrollY + view.h, Number(root.getAttribute('height'))) - 6) top = y - h - 12;
  tip.setAttribute('transform', 'translate(' + left + ' ' + Math.max(window.scrollY + 4, top) + ')');
  tip.style.display = '';
}
function hideTip() { tip.style.display = 'none'; }
function percent(part) {
  const p = part * 100;
  return (p >= 9.95 ? p.toFixed(1) : p >= 0.095 ? p.toFixed(2) : p.toFixed(4)).replace(/\.?0+$/, '') + ' %';
}
function pick(box, byKey) {
  const old = now;
  now = box;
  if (old) paint(old);
  if (!box) return hideTip();
  paint(box);
  if (byKey) {
    box.element.scrollIntoView({ block: 'nearest' });
    const r = box.element.getBoundingClientRect();
    showTip(box, Math.max(r.left, 0) + window.scrollX, r.bottom + window.scrollY - 10);
  }
}

let searching = false;
const field = document.createElementNS(HTML, 'input');
const holder = make('foreignObject', { x: '1%', y: 0, width: 230, height: 28 }, tool);
field.setAttribute('type', 'text');
field.setAttribute('aria-label', 'Search frames');
field.setAttribute('placeholder', 'Search: text or regex ( / )');
field.setAttribute('spellcheck', 'false');
holder.appendChild(field);
const after = make('svg', { x: '1%', y: 0, height: 28, overflow: 'visible' }, tool);
const said = make('text', { x: 242, y: 18, 'aria-live': 'polite' }, after);
const reset = make('g', { class: 'key', role: 'button', 'aria-label': 'Zoom out' }, after);
make('rect', { width: 80, height: 26, y: 0.5 }, reset);
make('text', { x: 10, y: 18 }, reset, 'Zoom out');
document.getElementById('hint').style.display = 'none';
tool.style.display = '';

function matcher(text) {
  const flags = text === text.toLowerCase() ? 'iu' : 'u';
  try {
    const expression = new RegExp(text, flags);
    return s => expression.test(s);
  } catch {
    const plain = text.toLowerCase();
    return s => s.toLowerCase().includes(plain);
  }
}
function search() {
  const text = field.value;
  searching = text !== '';
  const test = searching ? matcher(text) : null;
  for (const box of boxes) {
    box.hit = searching && (test(box.name) || test(box.place));
    paint(box);
  }
  report();
}
function report() {
  let message = '';
  if (searching) {
    // A frame below another that matched is part of it already.
    let sum = 0, count = 0;
    for (let i = zoomed.index; i < zoomed.end;) {
      const box = boxes[i];
      if (box.hit) { sum += box.w; count++; i = box.end; } else i++;
    }
    for (let b = zoomed.parent; b; b = b.parent) if (b.hit) { sum = zoomed.w; count = Math.max(count, 1); }
    message = count === 0 ? 'no match'
      : percent(sum / zoomed.w) + ' matched' + (total ? ' (' + unit(sum / 100 * total) + ')' : '');
  }
  said.textContent = message;
  reset.style.display = zoomed.parent ? '' : 'none';
  reset.setAttribute('transform', 'translate(' + (message ? 256 + said.getComputedTextLength() : 242) + ' 0)');
}
function unit(value) {
  switch (root.dataset.unit) {
    case 'seconds': return value >= 100 ? Math.round(value).toLocaleString('en') + ' s' : value >= 1 ? value.toFixed(2) + ' s' : (value * 1000).toFixed(value >= 0.01 ? 0 : 1) + ' ms';
    case 'bytes': return value >= 1023.95 * 1048576 ? (value / 1073741824).toFixed(2) + ' GiB'
      : value >= 1023.95 * 1024 ? (value / 1048576).toFixed(1) + ' MiB'
      : value >= 1023.5 ? (value / 1024).toFixed(1) + ' KiB' : value.toFixed(0) + ' B';
    default: return Math.round(value).toLocaleString('en') + ' ' + root.dataset.unit;
  }
}
function goBack() {
  if (searching) { field.value = ''; search(); field.blur(); root.focus(); return; }
  if (document.activeElement === field) { field.blur(); root.focus(); return; }
  if (now) { pick(null); return; }
  if (back.length) zoom(back.pop(), false); else zoom(boxes[0], false);
}

const byElement = new Map(boxes.map(b => [b.element, b]));
area.addEventListener('mousemove', event => {
  const element = event.target.closest('svg.f');
  const box = element && byElement.get(element);
  if (box) showTip(box, event.clientX + window.scrollX, event.clientY + window.scrollY); else hideTip();
});
area.addEventListener('mouseleave', hideTip);
area.addEventListener('click', event => {
  const element = event.target.closest('svg.f');
  const box = element && byElement.get(element);
  if (box) { pick(null); zoom(box); }
});
reset.addEventListener('click', () => { back.length = 0; zoom(boxes[0], false); });
field.addEventListener('input', search);

function sibling(box, step) {
  for (let i = box.index + step; i >= 0 && i < boxes.length; i += step) {
    if (boxes[i].depth === box.depth && boxes[i].shown) return boxes[i];
  }
  return box;
}
function child(box) {
  for (let i = box.index + 1; i < box.end; i++) if (boxes[i].parent === box && boxes[i].shown) return boxes[i];
  return box;
}
window.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape') { event.preventDefault(); goBack(); return; }
  if (document.activeElement === field) { if (event.key === 'Enter') { field.blur(); root.focus(); } return; }
  const from = now || zoomed;
  switch (event.key) {
    case '/': field.focus(); field.select(); break;
    case 'ArrowDown': pick(now ? child(from) : from, true); break;
    case 'ArrowUp': pick(from.parent || from, true); break;
    case 'ArrowRight': pick(sibling(from, 1), true); break;
    case 'ArrowLeft': pick(sibling(from, -1), true); break;
    case 'Enter': case ' ': if (now) zoom(now); break;
    case 'Home': case '0': pick(null); back.length = 0; zoom(boxes[0], false); break;
    default: return;
  }
  event.preventDefault();
});

const follow = () => head.setAttribute('y', window.scrollY);
window.addEventListener('scroll', follow, { passive: true });
window.addEventListener('beforeprint', () => { head.setAttribute('y', 0); hideTip(); draw(); });
window.addEventListener('afterprint', () => { follow(); draw(); });
let waiting = 0;
window.addEventListener('resize', () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(draw);
});
root.setAttribute('tabindex', '0');
draw();
report();
})();
