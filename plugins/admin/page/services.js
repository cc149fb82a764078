// The table of services: a row for each, and below it what there is to know beside.
import { $, breakable, count, largest, make, rate, size, write } from "./format.js";
import { makeButtons } from "./actions.js";
import { showDetails } from "./details.js";

const COLUMNS = [
  ["Service", ""],
  ["State", ""],
  ["Endpoints", ""],
  ["Live", "number"],
  ["Held", "number"],
  ["New/s", "number"],
  ["Bytes/s", "number"],
  ["Accepted", "number"],
  ["Refused", "number"],
  ["Errors", "number"],
  ["Workers", "number"],
  ["Control", "control"],
];
const rows = new Map();

/** Roles are said: a table that is laid out as cards on a phone is still one. */
export function makeHead() {
  const cells = COLUMNS.map(([title, kind]) =>
    make("th", { scope: "col", role: "columnheader", class: kind }, title)
  );
  const row = make("tr", { role: "row" }, ...cells);
  $("services").append(make("thead", { role: "rowgroup" }, row));
}

function makeRow(name, look) {
  const id = `details-${name}`;
  const open = make("button", {
    type: "button",
    class: "disclose",
    "aria-expanded": "false",
    "aria-controls": id,
  }, name);
  const head = make("th", { scope: "row", role: "rowheader" }, open);
  const cells = COLUMNS.slice(1).map(([title, kind]) =>
    make("td", { role: "cell", class: kind, "data-title": title })
  );
  const buttons = makeButtons(name, look);
  cells.at(-1).append(buttons.box);
  const state = make("span", { class: "state" });
  const strategy = make("small", {});
  cells[0].append(state, strategy);
  const numbers = cells.slice(2, -1).map((cell) => {
    const [value, note] = [make("span"), make("small")];
    cell.append(value, note);
    return { cell, value, note };
  });
  const details = make("td", { colspan: COLUMNS.length, role: "cell", class: "details" });
  const below = make("tr", { role: "row", id, hidden: "" }, details);
  const body = make(
    "tbody",
    { role: "rowgroup" },
    make("tr", { role: "row" }, head, ...cells),
    below,
  );
  const row = { body, state, strategy, endpoints: cells[1], numbers, buttons, below, details };
  open.addEventListener("click", () => {
    below.hidden = !below.hidden;
    open.setAttribute("aria-expanded", String(!below.hidden));
    if (!below.hidden) showDetails(details, row.latest);
  });
  $("service").append(make("option", { value: name }, name));
  return row;
}

function showRow(row, { status, recent, own }) {
  const { state, workers, restarts, tally } = status;
  write(row.state, state);
  row.state.dataset.state = state;
  write(row.strategy, status.strategy);
  const endpoints = status.endpoints.join("\n");
  if (row.endpoints.dataset.text !== endpoints) {
    row.endpoints.dataset.text = endpoints;
    const list = status.endpoints.map((endpoint) => make("code", {}, ...breakable(endpoint)));
    row.endpoints.replaceChildren(...(list.length > 0 ? list : ["–"]));
  }
  const ready = workers.filter((worker) => worker.state === "ready").length;
  const causes = largest(tally.refused);
  const codes = largest(tally.errors);
  const values = [
    [count(status.live)],
    [count(status.held)],
    [rate(recent?.acceptedPerSecond ?? 0)],
    [size(recent?.bytesPerSecond ?? 0)],
    [count(status.served)],
    [count(status.refused), noteOf(causes)],
    [count(status.errors), noteOf(codes)],
    [
      workers.length === 0
        ? "–"
        : ready === workers.length
        ? count(ready)
        : `${ready} of ${workers.length}`,
      restarts === 0 ? "" : restarts === 1 ? "1 restart" : `${count(restarts)} restarts`,
    ],
  ];
  values.forEach(([text, note = ""], index) => {
    const { cell, value, note: below } = row.numbers[index];
    write(value, text);
    write(below, note);
    cell.classList.toggle("zero", text === "0" || text === "0 B" || text === "–");
  });
  row.numbers[5].cell.classList.toggle("warn", status.refused > 0);
  row.numbers[6].cell.classList.toggle("bad", status.errors > 0);
  row.numbers[7].cell.classList.toggle("warn", restarts > 0 || ready < workers.length);
  row.buttons.show(status, own);
  row.latest = { status, recent };
  if (!row.below.hidden) showDetails(row.details, row.latest);
}

/** The most frequent ones: `rate 12`. All of them are in the details. */
function noteOf(counts) {
  const [first, ...more] = counts;
  if (first === undefined) return "";
  return `${first[0].split(" ")[0]}${more.length > 0 ? ` +${more.length}` : ""}`;
}

/**
 * @param recent of each service, from the history: the last sample, and the last minute.
 * @param own the service that answers this page.
 */
export function showServices({ services }, recent, own, look) {
  for (const status of services) {
    const name = status.service;
    if (!rows.has(name)) {
      const row = makeRow(name, look);
      rows.set(name, row);
      $("services").append(row.body);
    }
    showRow(rows.get(name), { status, recent: recent[name], own: name === own });
  }
  const names = new Set(services.map(({ service }) => service));
  for (const [name, { body }] of rows) {
    if (names.has(name)) continue;
    body.remove();
    rows.delete(name);
    $("service").querySelector(`option[value="${CSS.escape(name)}"]`)?.remove();
  }
  $("services-box").classList.toggle("long", services.length > 12);
}
