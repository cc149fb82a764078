// The dashboard: asks for the status every second, listens to the records, and presses the buttons.
const PERIOD = 1000;
const SAMPLES = 120;
const RECORDS_MAX = 500;
const LEVELS = ["debug", "info", "warn", "error"];
const COLORS = [
  "#0b84a5",
  "#c96f2b",
  "#5a9e4b",
  "#a05fb4",
  "#b8902a",
  "#c2506b",
  "#4f79c4",
  "#7a8288",
];

const $ = (id) => document.getElementById(id);
const make = (name, text = "", attributes = {}) => {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// ASKING: with the token, which is asked for once and kept as long as this tab is open.

let asking;
const token = () => sessionStorage.getItem("portico-token");

function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = $("ask");
    $("token").value = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      sessionStorage.setItem("portico-token", $("token").value);
      asking = undefined;
      resolve();
    }, { once: true });
  });
  return asking;
}

async function ask(path, options = {}) {
  for (;;) {
    const given = token();
    const headers = { ...options.headers, ...(given && { authorization: `Bearer ${given}` }) };
    const answer = await fetch(path, { ...options, headers, cache: "no-store" });
    if (answer.status !== 401) return answer;
    if (token() === given) await askToken();
  }
}

function say(text) {
  $("message").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => $("message").textContent = "", 8000);
}

// CONTROL: each with a question first.

const QUESTIONS = {
  suspend: (name) => `Suspend ${name}? Newcomers wait; sessions go on.`,
  resume: (name) => `Resume ${name}?`,
  drain: (name) =>
    `Drain ${name}? Newcomers wait, and its sessions are closed when their time is over.`,
  reload: () => "Reload the manifest? What has changed in it is started anew.",
};

function confirmed(text) {
  const dialog = $("confirm");
  $("question").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

document.addEventListener("click", async ({ target }) => {
  const { verb, service } = target.dataset ?? {};
  if (verb === undefined || !await confirmed(QUESTIONS[verb](service))) return;
  const path = service === undefined
    ? `/control/${verb}`
    : `/control/${verb}/${encodeURIComponent(service)}`;
  const answer = await ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const told = await answer.json();
  if (!answer.ok) say(told.message ?? told.error);
  await look();
});

// SERVICES

const ABLE = {
  suspend: ["running"],
  resume: ["suspended", "draining", "failed"],
  drain: ["running", "suspended"],
};
const rows = new Map();
let before;

function rowOf(name) {
  let row = rows.get(name);
  if (row !== undefined) return row;
  const element = make("tr");
  const cells = Array.from({ length: 9 }, (_, index) => make(index === 0 ? "th" : "td"));
  cells[0].setAttribute("scope", "row");
  cells[0].textContent = name;
  cells[1].className = "state";
  for (const cell of cells.slice(3)) cell.className = "number";
  const control = make("td");
  const buttons = make("div", "", { class: "buttons" });
  control.append(buttons);
  const verbs = {};
  for (const verb of Object.keys(ABLE)) {
    const label = verb[0].toUpperCase() + verb.slice(1);
    verbs[verb] = make("button", label, {
      type: "button",
      "data-verb": verb,
      "data-service": name,
      "aria-label": `${label} ${name}`,
    });
    buttons.append(verbs[verb]);
  }
  element.append(...cells, control);
  $("services").append(element);
  row = { element, cells, verbs };
  rows.set(name, row);
  $("service").append(make("option", name, { value: name }));
  return row;
}

function show(status, at) {
  const { runtime, version, pid, manifest, services } = status;
  $("server").textContent = `${version} on ${runtime}, process ${pid}: ${manifest}`;
  const seconds = before === undefined ? 0 : (at - before.at) / 1000;
  const perSecond = (now, last) =>
    last === undefined || seconds <= 0 ? 0 : Math.max(0, now - last) / seconds;
  const values = { live: {}, rate: {}, bytes: {} };
  const counts = {};
  for (const one of services) {
    const { cells, verbs } = rowOf(one.service);
    const last = before?.counts[one.service];
    const count = counts[one.service] = { served: one.served, bytes: one.bytesIn + one.bytesOut };
    const rate = perSecond(count.served, last?.served);
    values.live[one.service] = one.live;
    values.rate[one.service] = rate;
    values.bytes[one.service] = perSecond(count.bytes, last?.bytes);
    const state = cells[1];
    state.textContent = one.state;
    state.dataset.state = one.state;
    const endpoints = one.endpoints.join("\n");
    if (cells[2].dataset.text !== endpoints) {
      cells[2].dataset.text = endpoints;
      cells[2].replaceChildren(...one.endpoints.map((endpoint) => make("code", endpoint)));
    }
    const numbers = [
      one.live,
      one.held,
      rate.toFixed(rate < 10 ? 1 : 0),
      one.served,
      one.refused,
      one.errors,
    ];
    numbers.forEach((value, index) => cells[3 + index].textContent = String(value));
    for (const [verb, states] of Object.entries(ABLE)) {
      verbs[verb].disabled = !states.includes(one.state);
    }
  }
  const names = new Set(services.map(({ service }) => service));
  for (const [name, { element }] of rows) {
    if (names.has(name)) continue;
    element.remove();
    rows.delete(name);
    $("service").querySelector(`option[value="${CSS.escape(name)}"]`)?.remove();
  }
  before = { at, counts };
  draw(values);
}

// LINES

function size(bytes) {
  const [unit, name] = bytes < 1024 ? [1, "B"] : bytes < 1048576 ? [1024, "KiB"] : [1048576, "MiB"];
  return `${tenths(bytes / unit)} ${name}`;
}

const times = [];
const series = { live: new Map(), rate: new Map(), bytes: new Map() };
const plots = {};
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
const tenths = (value) => String(Math.round(value * 10) / 10);
const UNITS = { live: tenths, rate: tenths, bytes: size };
// Of the scale: bytes in powers of two.
const STEPS = { bytes: Array.from({ length: 50 }, (_, index) => 2 ** index) };

function draw(values) {
  times.push(Date.now() / 1000);
  if (times.length > SAMPLES) times.shift();
  for (const [name, lines] of Object.entries(series)) {
    for (const service of Object.keys(values[name])) {
      if (!lines.has(service)) lines.set(service, new Array(times.length - 1).fill(null));
    }
    for (const [service, line] of lines) {
      line.push(values[name][service] ?? null);
      while (line.length > times.length) line.shift();
    }
    plot(name, lines);
  }
}

function plot(name, lines) {
  if (globalThis.uPlot === undefined) return;
  const names = [...lines.keys()];
  const data = [times, ...lines.values()];
  const known = plots[name];
  if (known?.names.join() === names.join()) return known.plot.setData(data);
  known?.plot.destroy();
  const style = getComputedStyle(document.documentElement);
  const axis = {
    stroke: style.getPropertyValue("--faint"),
    grid: { stroke: style.getPropertyValue("--line"), width: 1 },
    ticks: { show: false },
  };
  const box = $(name);
  const options = {
    width: box.clientWidth,
    height: 180,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, space: 70, size: 30, values: (_, splits) => splits.map(clock) },
      { ...axis, size: 64, incrs: STEPS[name], values: (_, splits) => splits.map(UNITS[name]) },
    ],
    series: [
      { label: "Time", value: (_, value) => value === null ? "–" : clock(value) },
      ...names.map((label, index) => ({
        label,
        stroke: COLORS[index % COLORS.length],
        width: 2,
        points: { show: false },
        value: (_, value) => value === null || value === undefined ? "–" : UNITS[name](value),
      })),
    ],
  };
  plots[name] = { names, plot: new globalThis.uPlot(options, data, box) };
}

addEventListener("resize", () => {
  for (const [name, { plot }] of Object.entries(plots)) {
    plot.setSize({ width: $(name).clientWidth, height: 180 });
  }
});
// Its colors are painted, not styled.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const name of Object.keys(plots)) {
    plots[name].plot.destroy();
    delete plots[name];
  }
});

// PEERS

function table(id, peers, column, valueOf) {
  const head = make("tr");
  for (const title of ["Host", "Service", "Sessions", column]) {
    head.append(make("th", title, { scope: "col" }));
  }
  const body = peers.map((peer) => {
    const row = make("tr");
    row.append(make("td", peer.host), make("td", peer.service));
    row.append(
      make("td", String(peer.sessions), { class: "number" }),
      make("td", valueOf(peer), { class: "number" }),
    );
    return row;
  });
  $(id).replaceChildren(head, ...body);
}

const longest = ({ longestMs }) =>
  longestMs < 1000 ? `${longestMs} ms` : `${(longestMs / 1000).toFixed(1)} s`;

async function look() {
  const [status, peers] = await Promise.all([ask("/status"), ask("/peers")]);
  if (!status.ok || !peers.ok) throw new Error(`${status.status}`);
  show(await status.json(), performance.now());
  const { busiest, slowest } = await peers.json();
  table("busiest", busiest, "Bytes", ({ bytes }) => size(bytes));
  table("slowest", slowest, "Longest", longest);
}

async function watch() {
  for (;;) {
    try {
      if (!document.hidden) await look();
    } catch {
      $("server").textContent = "the server does not answer";
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

// RECORDS: by fetch, as an EventSource cannot be given a token.

const records = [];

function passes(record) {
  if (LEVELS.indexOf(record.level) < LEVELS.indexOf($("level").value)) return false;
  if ($("service").value !== "" && record.service !== $("service").value) return false;
  return record.line.toLowerCase().includes($("text").value.toLowerCase());
}

function lineOf({ time, level, event, service, ...fields }) {
  const rest = Object.entries(fields).map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  return [clock(time / 1000), level.padEnd(5), event, service ?? "", ...rest].join(" ");
}

const itemOf = (record) => make("li", record.line, { "data-level": record.level });

function add(record) {
  record.line = lineOf(record);
  records.push(record);
  if (records.length > RECORDS_MAX) records.shift();
  if (!passes(record)) return;
  const list = $("records");
  list.append(itemOf(record));
  while (list.childElementCount > RECORDS_MAX) list.firstElementChild.remove();
  if ($("follow").checked) list.scrollTop = list.scrollHeight;
}

function refilter() {
  $("records").replaceChildren(...records.filter(passes).map(itemOf));
  $("records").scrollTop = $("records").scrollHeight;
}
$("filter").addEventListener("input", refilter);
$("filter").addEventListener("submit", (event) => event.preventDefault());

async function listen() {
  for (;;) {
    try {
      const answer = await ask("/records");
      records.length = 0;
      refilter();
      let rest = "";
      for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
        const events = (rest + chunk).split("\n\n");
        rest = events.pop();
        for (const event of events) if (event.startsWith("data: ")) add(JSON.parse(event.slice(6)));
      }
    } catch {
      // It is told where the status is.
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

watch();
listen();
