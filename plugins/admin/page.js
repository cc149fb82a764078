// The dashboard: asks for the status and the newest samples every second, and listens to the records.
import { wireReload } from "./page/actions.js";
import { askJson } from "./page/ask.js";
import { drawCharts } from "./page/charts.js";
import { $, breakable, clock, count, span, write } from "./page/format.js";
import { History, SERIES } from "./page/history.js";
import { showNow } from "./page/now.js";
import { showPeers } from "./page/peers.js";
import { followRecords } from "./page/records.js";
import { makeHead, showServices } from "./page/services.js";

/** Milliseconds between two looks at the server, and looks between two at the peers. */
const PERIOD = 1000;
const PEERS_EVERY = 5;

const history = new History();
let looks = 0;
/** When the server has answered last; undefined before it did. */
let answered;

/** What the history tells of each service now. */
function recentOf({ services }) {
  const recent = {};
  for (const [name, { lastMinute }] of Object.entries(services)) {
    const lines = history.services.get(name);
    recent[name] = { lastMinute };
    for (const one of SERIES) recent[name][one] = lines[one].at(-1) ?? 0;
  }
  return recent;
}

function showServer({ runtime, version, pid, manifest }) {
  const text = `${version} on ${runtime}, process ${pid}: ${manifest}`;
  if ($("server").textContent !== text) $("server").replaceChildren(...breakable(text));
}

async function look() {
  const [status, samples] = await Promise.all([
    askJson("/status"),
    askJson(`/history?after=${history.last}`),
  ]);
  history.add(samples.json);
  const recent = recentOf(samples.json);
  showServer(status.json);
  showNow(status.json, recent, samples.json.server);
  showServices(status.json, recent, status.headers.get("portico-service"), look);
  drawCharts(history);
  if (looks++ % PEERS_EVERY === 0) showPeers((await askJson("/peers")).json);
  const live = status.json.services.reduce((sum, one) => sum + one.live, 0);
  connect("live");
  document.title = `${count(live)} live · Portico`;
  return status.json;
}

const STATES = {
  live: "live",
  stale: "The server does not answer.",
};

/** Says whether what is shown is true; what is not is grey, and its buttons are at rest. */
function connect(state) {
  if (state === "live") answered = performance.now();
  if ($("connection").dataset.state !== state) {
    $("connection").dataset.state = state;
    write($("connected"), STATES[state]);
    document.body.classList.toggle("stale", state === "stale");
    document.querySelector("main").toggleAttribute("data-stale", state === "stale");
  }
  for (const button of document.querySelectorAll(".buttons button, #reload")) {
    if (!button.closest("dialog")) button.disabled = state === "stale";
  }
  age();
}

/** How old it is: once a second, and not read out each time. */
function age() {
  const stale = $("connection").dataset.state === "stale";
  if (!stale) return write($("age"), "");
  document.title = "no answer · Portico";
  if (answered === undefined) return;
  const seconds = (performance.now() - answered) / 1000;
  write(
    $("age"),
    `What is shown is ${span(seconds)} old, of ${clock(Date.now() - seconds * 1000)}.`,
  );
}
setInterval(age, 1000);

let wake = () => {};
// Whoever comes back sees what is.
document.addEventListener("visibilitychange", () => wake());

async function watch() {
  for (;;) {
    try {
      if (!document.hidden) await look();
    } catch {
      connect("stale");
    }
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, PERIOD);
    });
  }
}

makeHead();
wireReload(look);
watch();
followRecords();
