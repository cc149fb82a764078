// Elements, and numbers as people read them.

export const $ = (id) => document.getElementById(id);

/** An element with its attributes and what is in it: text or elements. */
export function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

/** Touches nothing that is as it should be: a page of fifty services is written each second. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Characters that fit into a line, on a phone too. */
const LINE = 40;

/** Breaks lines between the parts of a path, and never within one that fits. */
export function breakable(text) {
  const parts = text.length <= LINE ? [text] : text.split(/(?<=\/)(?!\/)/);
  return parts.flatMap((part, index) => [
    ...(index > 0 ? [make("wbr")] : []),
    make("span", part.length <= LINE ? { class: "whole" } : {}, part),
  ]);
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 1,632 */
export const count = (value) => whole.format(value);
/** 2.5, 104, 12,340 */
export const rate = (value) => (value < 10 ? short : whole).format(value);

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 512 B, 1.5 KiB, 20 MiB */
export function size(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1023.5 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${(unit > 0 && value < 9.95 ? short : whole).format(value)} ${SIZES[unit]}`;
}

/** < 1 ms, 12 ms, 1.5 s, 5m 3s */
export function milliseconds(ms) {
  if (ms < 1) return "< 1 ms";
  if (ms < 999.5) return `${(ms < 9.95 ? short : whole).format(ms)} ms`;
  return ms < 59_950 ? `${short.format(ms / 1000)} s` : span(ms / 1000);
}

/** 12s, 5m 3s, 2h 5m, 3d 4h: as portico ctl has it. */
export function span(seconds) {
  const s = Math.floor(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${Math.floor(s % 3600 / 60)}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor(s % 86_400 / 3600)}h`;
}

/** 19:51:39 */
export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

/** p50 and p99 of milliseconds, in one. */
export function quantiles(found) {
  if (found === null || found === undefined) return "–";
  const [p50, p99] = [milliseconds(found.p50), milliseconds(found.p99)];
  return `${p50} / ${p99}`;
}

/** Counts by their names, the largest first. */
export const largest = (counts) => Object.entries(counts).toSorted(([, a], [, b]) => b - a);
