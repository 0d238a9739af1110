// Credits by day as bars, one colour a model. Drawn as SVG at the size it is shown, so that its letters stay readable;
// the table beneath has the same figures in words.

import { byId, element, number, plainDay, says } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const DAY = 86_400_000; // ms
const COLOURS = 5; // and one more for all other models
const HEIGHT = 200;
const EDGE = { left: 52, right: 8, top: 10, bottom: 26 };

let shown = null; // {days, models, most} of the chart that is drawn

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Models by what they used, the first few by themselves.
function ranked(items) {
  const sums = new Map();
  for (const { model, credits } of items) sums.set(model, (sums.get(model) ?? 0) + credits);
  return [...sums].sort((a, b) => b[1] - a[1]).map(([model]) => model);
}

function collect({ since, until, items }) {
  const names = ranked(items);
  const place = (model) => Math.min(names.indexOf(model), COLOURS);
  const days = new Map();
  for (let at = Date.parse(since); at <= Date.parse(until); at += DAY) {
    days.set(new Date(at).toISOString().slice(0, 10), new Array(COLOURS + 1).fill(0));
  }
  for (const { day, model, credits } of items) {
    const parts = days.get(day);
    if (parts) parts[place(model)] += credits;
  }
  const models = names.slice(0, COLOURS);
  if (names.length > COLOURS) models.push(says("usage_other_models"));
  const sums = [...days].map(([day, parts]) => ({ day, parts, sum: parts.reduce((a, b) => a + b, 0) }));
  const most = sums.reduce((a, b) => (b.sum > a.sum ? b : a));
  return { days: sums, models, most };
}

// The first of 1, 2, 5, 10, 20, … that is not less.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function drawScale(svg, width, top, y) {
  for (const value of [0, top / 2, top]) {
    if (!Number.isInteger(value)) continue;
    const at = y(value);
    svg.append(shape("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }));
    svg.append(shape("text", { class: "tick", x: EDGE.left - 8, y: at + 4, "text-anchor": "end" }, number(value)));
  }
}

function drawDays(svg, days, slot) {
  const every = Math.ceil(90 / slot); // px that a date takes, with room around it
  days.forEach(({ day }, index) => {
    if ((days.length - 1 - index) % every) return;
    const x = EDGE.left + (index + 0.5) * slot;
    const anchor = index === days.length - 1 ? "end" : "middle";
    const at = { class: "tick", x: anchor === "end" ? x + slot / 2 : x, y: HEIGHT - 6, "text-anchor": anchor };
    svg.append(shape("text", at, plainDay(day, { month: "short", day: "numeric" })));
  });
}

function drawBars(svg, days, slot, y) {
  const wide = Math.max(1, slot * 0.72);
  days.forEach(({ parts }, index) => {
    let from = 0;
    parts.forEach((credits, model) => {
      if (!credits) return;
      const box = { x: EDGE.left + index * slot + (slot - wide) / 2, width: wide };
      const high = Math.max(1, y(from) - y(from + credits));
      svg.append(shape("rect", { class: `series-${model}`, ...box, y: y(from) - high, height: high }));
      from += credits;
    });
  });
}

function draw() {
  const frame = byId("usage-chart");
  const width = Math.floor(frame.clientWidth);
  if (!shown || frame.hidden || width < 200) return;
  const { days, most } = shown;
  const total = days.reduce((sum, day) => sum + day.sum, 0);
  const top = roundUp(most.sum);
  const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.bottom - EDGE.top);
  const slot = (width - EDGE.left - EDGE.right) / days.length;
  const words = { total: number(total), most: number(most.sum), day: plainDay(most.day) };
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", says("usage_chart", words));
  drawScale(svg, width, top, y);
  drawDays(svg, days, slot);
  drawBars(svg, days, slot, y);
  frame.replaceChildren(svg);
}

function legend(model, place) {
  const swatch = shape("svg", { class: "swatch", width: 12, height: 12, "aria-hidden": "true" });
  swatch.append(shape("rect", { class: `series-${place}`, width: 12, height: 12, rx: 2 }));
  return element("li", {}, swatch, ` ${model}`);
}

// Draws what the usage answer says; nothing where nothing was used.
export function showChart(usage) {
  const used = usage.items.length > 0;
  byId("usage-chart").hidden = !used;
  byId("usage-legend").hidden = !used;
  shown = used ? collect(usage) : null;
  byId("usage-legend").replaceChildren(...(shown?.models ?? []).map(legend));
  draw();
}

new ResizeObserver(draw).observe(byId("usage-chart"));
