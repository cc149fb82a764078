// Four charts of the history, and the legend that they share.
import { $, clock, make, milliseconds, rate, size, write } from "./format.js";
import { SERIES } from "./history.js";

/** More lines than that nobody tells apart: the others are one. */
const LINES_MAX = 8;
const HEIGHT = 150;
/** Milliseconds for which the choice of the busiest ones stays as it is. */
const CHOICE = 15_000;
const UNITS = {
  live: rate,
  acceptedPerSecond: rate,
  bytesPerSecond: size,
  delayMs: milliseconds,
};
/** Of the scale: bytes in powers of two. */
const STEPS = { bytesPerSecond: Array.from({ length: 50 }, (_, index) => 2 ** index) };
const AXIS = { ...UNITS, delayMs: (value) => value === 0 ? "0" : milliseconds(value) };

const plots = new Map();
let chosen = { names: [], key: "", until: 0 };
/** The one line that is shown, if not all are. */
let alone;
let latest;

const sum = (line) => line.reduce((all, value) => all + (value ?? 0), 0);

/** The names of the lines: all services or, of many, the busiest. */
function choose({ services }) {
  const all = [...services.keys()];
  const key = all.join();
  if (chosen.key === key && performance.now() < chosen.until) return chosen.names;
  let names = all;
  if (all.length > LINES_MAX) {
    const weight = new Map(
      [...services].map(([name, { live, acceptedPerSecond, bytesPerSecond }]) => [
        name,
        sum(live) + sum(acceptedPerSecond) + sum(bytesPerSecond) / 1024,
      ]),
    );
    const busiest = all.toSorted((a, b) => weight.get(b) - weight.get(a)).slice(0, LINES_MAX - 1);
    names = all.filter((name) => busiest.includes(name));
  }
  if (!names.includes(alone)) alone = undefined;
  chosen = { names, key, until: performance.now() + CHOICE };
  return names;
}

const add = (a, b) => a === null ? b : b === null ? a : a + b;
const most = (a, b) => a === null ? b : b === null ? a : Math.max(a, b);

/** The lines of one chart, with their colors. */
function linesOf(series, history, names) {
  const others = [...history.services.keys()].filter((name) => !names.includes(name));
  const lines = names.map((name, index) => ({
    name,
    color: `--line-${index}`,
    values: history.services.get(name)[series],
  }));
  if (others.length > 0) {
    const combine = series === "delayMs" ? most : add;
    const values = others.map((name) => history.services.get(name)[series]);
    lines.push({
      name: `${others.length} others`,
      color: "--faint",
      values: history.times.map((_, at) =>
        values.reduce((all, one) => combine(all, one[at] ?? null), null)
      ),
    });
  }
  if (series !== "delayMs") return lines;
  // Services without workers have the server's loop.
  const own = lines.filter(({ values }) => values.some((value) => value !== null));
  return [{ name: "the server", color: "--ink", values: history.serverDelay }, ...own];
}

function tooltip(plot, series, lines) {
  const box = make("div", { class: "tooltip" });
  plot.over.append(box);
  const hide = () => box.replaceChildren();
  plot.over.addEventListener("mouseleave", hide);
  return () => {
    const { idx, left } = plot.cursor;
    if (idx === null || idx === undefined || left < 0) return hide();
    const rows = lines().filter(({ values }) => typeof values[idx] === "number").map((line) => {
      const name = make("span", {}, line.name);
      name.style.color = `var(${line.color})`;
      return make("div", {}, name, make("b", {}, UNITS[series](line.values[idx])));
    });
    box.replaceChildren(make("time", {}, clock(plot.data[0][idx] * 1000)), ...rows);
    const right = left > plot.over.clientWidth / 2;
    box.style.left = right ? "" : `${left + 10}px`;
    box.style.right = right ? `${plot.over.clientWidth - left + 10}px` : "";
  };
}

function create(series, lines, times) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name);
  const box = $(series);
  const axis = {
    stroke: color("--faint"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const known = { lines, key: lines.map(({ name, color }) => name + color).join("\n") };
  const options = {
    width: box.clientWidth,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 5 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, space: 80, size: 26, values: (_, all) => all.map((value) => clock(value * 1000)) },
      {
        ...axis,
        space: 34,
        size: 58,
        incrs: STEPS[series],
        values: (_, all) => all.map(AXIS[series]),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: color(line.color),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [() => known.move?.()] },
  };
  known.plot = new globalThis.uPlot(options, [times, ...lines.map(({ values }) => values)], box);
  known.move = tooltip(known.plot, series, () => known.lines);
  return known;
}

function draw(series, history, names) {
  const all = linesOf(series, history, names);
  const shown = all.filter(({ name }) => alone === undefined || name === alone);
  const key = shown.map(({ name, color }) => name + color).join("\n");
  let known = plots.get(series);
  if (known?.key !== key) {
    known?.plot.destroy();
    known = create(series, shown, history.times);
    plots.set(series, known);
  } else {
    known.lines = shown;
    known.plot.setData([history.times, ...shown.map(({ values }) => values)]);
  }
  // What is painted is told as well.
  const now = shown.map(({ name, values }) => [name, values.at(-1)])
    .filter(([, value]) => typeof value === "number");
  const title = $(series).previousElementSibling;
  const combine = series === "delayMs" ? most : add;
  const total = now.reduce((sum, [, value]) => combine(sum, value), null);
  write(title.querySelector(".value"), total === null ? "–" : UNITS[series](total));
  const told = now.slice(0, LINES_MAX).map(([name, value]) => `${name} ${UNITS[series](value)}`);
  $(series).setAttribute("aria-label", `${title.firstChild.textContent}: ${told.join(", ")}`);
}

function drawLegend(names, others) {
  const key = [...names, others, alone].join("\n");
  const box = $("legend");
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const focused = document.activeElement?.dataset?.line;
  const items = names.map((name, index) => {
    const button = make("button", {
      type: "button",
      title: name,
      "data-line": name,
      "aria-pressed": String(alone === name),
    });
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = `var(--line-${index})`;
    button.append(swatch, make("span", {}, name));
    button.addEventListener("click", () => {
      alone = alone === name ? undefined : name;
      show();
    });
    return make("li", {}, button);
  });
  if (others > 0) items.push(make("li", { class: "faint" }, `${others} others together, in grey`));
  box.replaceChildren(...items);
  if (focused !== undefined) box.querySelector(`[data-line="${CSS.escape(focused)}"]`)?.focus();
}

/** Without uPlot there are no lines; the figures are there all the same. */
export function drawCharts(history) {
  latest = history;
  show();
}

function show() {
  const history = latest;
  $("charts").hidden = globalThis.uPlot === undefined;
  if (history === undefined || globalThis.uPlot === undefined) return;
  const names = choose(history);
  drawLegend(names, history.services.size - names.length);
  for (const series of SERIES) draw(series, history, names);
}

addEventListener("resize", () => {
  for (const [series, { plot }] of plots) {
    plot.setSize({ width: $(series).clientWidth, height: HEIGHT });
  }
});
// Colors are painted, not styled.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  show();
});
