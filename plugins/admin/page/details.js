// What there is to know of a service beside its row.
import { count, largest, make, quantiles, size, span } from "./format.js";

const section = (title, content) => make("section", {}, make("h3", {}, title), content);
const pair = (title, value) => make("div", {}, make("dt", {}, title), make("dd", {}, value));

function countsOf(title, counts) {
  const entries = largest(counts);
  const list = entries.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, count(value)))
  );
  const none = make("p", { class: "faint" }, "none");
  return section(title, list.length > 0 ? make("dl", {}, ...list) : none);
}

function workersOf({ service, workers, restarts }) {
  const titles = ["Pid", "State", "Live", "Served", "Up"];
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  const body = workers.map(({ pid, state, live, served, uptime }) =>
    make(
      "tr",
      {},
      ...[String(pid), state, count(live), count(served), span(uptime)].map((text) =>
        make("td", {}, text)
      ),
    )
  );
  const label = { class: "small", "aria-label": `Workers of ${service}` };
  const table = make("table", label, make("thead", {}, head), make("tbody", {}, ...body));
  const again = restarts === 1 ? "1 restart" : `${count(restarts)} restarts`;
  return section(`Workers, ${again}`, table);
}

/** @param recent its last minute, as the history has it. */
export function showDetails(details, { status, recent }) {
  const { workers, tally } = status;
  const minute = recent?.lastMinute;
  const loop = workers.length > 0 ? quantiles(minute?.delayMs) : "the server's";
  const datagrams = status.datagramsIn + status.datagramsOut > 0;
  const traffic = [
    pair("bytes in", size(status.bytesIn)),
    pair("bytes out", size(status.bytesOut)),
    ...(datagrams ? [pair("datagrams in", count(status.datagramsIn))] : []),
    ...(datagrams ? [pair("datagrams out", count(status.datagramsOut))] : []),
    ...(status.datagramsLost > 0 ? [pair("datagrams lost", count(status.datagramsLost))] : []),
  ];
  const times = [
    pair("a session takes", quantiles(minute?.durationMs)),
    pair("event-loop delay", loop),
  ];
  const found = make(
    "div",
    { class: "grid" },
    ...(workers.length > 0 ? [workersOf(status)] : []),
    section("Traffic", make("dl", {}, ...traffic)),
    section("Last minute, p50 / p99", make("dl", {}, ...times)),
    countsOf("Refused, by cause", tally.refused),
    countsOf("Errors, by code and side", tally.errors),
    countsOf("Ended, by reason", tally.ended),
  );
  // Whoever selects text in it keeps the selection while nothing changes.
  if (details.firstElementChild?.isEqualNode(found)) return;
  details.replaceChildren(found);
}
