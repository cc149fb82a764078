// The records, in the console's words: by fetch, as an EventSource cannot be given a token.
import { ask } from "./ask.js";
import { $, clock, count, make } from "./format.js";

const KEPT = 500;
const LEVELS = ["debug", "info", "warn", "error"];
/** Milliseconds until a connection that has ended is tried again. */
const PERIOD = 1000;

/** `{ record, words }`, or a note of our own: `{ note }`. */
const entries = [];
let chosen;
/** Where the list has been scrolled to by us. */
let put = 0;

function passes({ note, record, words }) {
  if (note !== undefined) return true;
  if (LEVELS.indexOf(record.level) < LEVELS.indexOf($("level").value)) return false;
  if ($("service").value !== "" && record.service !== $("service").value) return false;
  return words.toLowerCase().includes($("text").value.toLowerCase());
}

let made = 0;

function elementOf(entry) {
  const option = { role: "option", id: `record-${made++}`, "aria-selected": "false" };
  const { note, record, words } = entry;
  if (note !== undefined) {
    entry.element = make("div", { ...option, class: "note", "aria-disabled": "true" }, note);
    return entry.element;
  }
  const { time, level, service = "portico" } = record;
  entry.element = make(
    "div",
    { ...option, "data-level": level },
    make("time", { datetime: new Date(time).toISOString() }, clock(time)),
    " ",
    make("span", { class: "level" }, level),
    " ",
    make("span", { class: "service" }, service),
    " ",
    make("span", { class: "words" }, words),
  );
  entry.element.entry = entry;
  return entry.element;
}

/** Those that come together are put in together. */
function add(more) {
  entries.push(...more);
  entries.splice(0, entries.length - KEPT);
  const list = $("records");
  const follows = $("follow").checked;
  list.append(...more.slice(-KEPT).filter(passes).map(elementOf));
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  if (follows) toEnd();
}

function toEnd() {
  const list = $("records");
  list.scrollTop = list.scrollHeight;
  put = list.scrollTop;
}

function refilter() {
  $("records").replaceChildren(...entries.filter(passes).map(elementOf));
  toEnd();
  choose(undefined);
}

// CHOOSING: the fields of one record, below the list.

function choose(entry) {
  const list = $("records");
  list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  chosen = entry;
  $("fields").hidden = entry === undefined;
  if (entry === undefined) return list.removeAttribute("aria-activedescendant");
  $("follow").checked = false;
  entry.element.setAttribute("aria-selected", "true");
  list.setAttribute("aria-activedescendant", entry.element.id);
  entry.element.scrollIntoView({ block: "nearest" });
  const { time, ...fields } = entry.record;
  const all = Object.entries({ time: new Date(time).toISOString(), ...fields });
  const pairs = all.filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 1);
      return make("div", {}, make("dt", {}, name), make("dd", {}, text));
    });
  $("fields").firstElementChild.replaceChildren(...pairs);
}

const KEYS = {
  ArrowDown: (all, at) => at < 0 ? all.length - 1 : Math.min(all.length - 1, at + 1),
  ArrowUp: (all, at) => at < 0 ? all.length - 1 : Math.max(0, at - 1),
  Home: () => 0,
  End: (all) => all.length - 1,
};

function wireChoice() {
  const list = $("records");
  list.addEventListener("click", ({ target }) => {
    const entry = target.closest("[role=option]")?.entry;
    // Whoever selects text does not choose.
    if (entry !== undefined && String(getSelection()) === "") {
      choose(entry === chosen ? undefined : entry);
    }
  });
  list.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return choose(undefined);
    const to = KEYS[event.key];
    const all = [...list.children].filter(({ entry }) => entry !== undefined);
    if (to === undefined || all.length === 0) return;
    event.preventDefault();
    choose(all[to(all, all.indexOf(chosen?.element))].entry);
  });
  $("fields").querySelector("button").addEventListener("click", () => {
    choose(undefined);
    list.focus();
  });
  // Who scrolls up reads; who is at the end again follows.
  list.addEventListener("scroll", () => {
    if (Math.abs(list.scrollTop - put) < 2) return;
    const rest = list.scrollHeight - list.scrollTop - list.clientHeight;
    if (rest > 40) $("follow").checked = false;
    else if (chosen === undefined) $("follow").checked = true;
  });
  $("follow").addEventListener("change", () => {
    if ($("follow").checked) toEnd();
  });
}

// LISTENING

/** The texts of what came last, and the time of the newest: a connection begins with what another has had. */
const had = new Set();
let newest = 0;

function keep(text, time) {
  newest = Math.max(newest, time);
  had.add(text);
  if (had.size <= KEPT) return;
  for (const first of had) {
    had.delete(first);
    return;
  }
}

/** @param before the time of the newest record when the connection began. */
function entryOf(event, before) {
  const data = event.slice(event.indexOf("data: ") + 6);
  if (event.startsWith("event: skipped")) return { note: `${count(Number(data))} more, not shown` };
  if (!event.startsWith("data: ")) return undefined;
  const entry = JSON.parse(data);
  if (entry.record.time <= before && had.has(data)) return undefined;
  keep(data, entry.record.time);
  return entry;
}

async function listen() {
  const answer = await ask("/records?words");
  if (!answer.ok) throw new Error(`${answer.status}`);
  const before = newest;
  let rest = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop();
    add(events.map((event) => entryOf(event, before)).filter((entry) => entry !== undefined));
  }
}

export async function followRecords() {
  $("filter").addEventListener("input", ({ target }) => target.id !== "follow" && refilter());
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  wireChoice();
  for (;;) {
    try {
      await listen();
    } catch {
      // It is told where the status is.
    }
    const last = entries.at(-1);
    if (last !== undefined && last.lost === undefined) {
      add([{ note: `the connection was lost at ${clock(Date.now())}`, lost: true }]);
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}
