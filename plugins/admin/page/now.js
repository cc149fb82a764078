// The whole server in a line of figures.
import { $, count, largest, make, quantiles, rate, size, span, write } from "./format.js";

const tiles = new Map();

function tile(title, value, note, mood = "") {
  if (!tiles.has(title)) {
    const [dd, small] = [make("dd"), make("dd", { class: "note" })];
    const box = make("div", {}, make("dt", {}, title), dd, small);
    $("now").append(box);
    tiles.set(title, { box, dd, small });
  }
  const { box, dd, small } = tiles.get(title);
  write(dd, value);
  write(small, note);
  box.className = mood;
}

/** @param recent the last sample of each service. @param server of the supervisor's own event loop. */
export function showNow({ services, uptime, sinks }, recent, server) {
  const sum = (name) => services.reduce((all, one) => all + one[name], 0);
  const rates = (name) =>
    services.reduce((all, { service }) => all + (recent[service]?.[name] ?? 0), 0);
  const well = services.filter(({ state }) => state === "running").length;
  const ill = services.filter(({ state }) => state !== "running");
  const named = ill.slice(0, 2).map(({ service, state }) => `${service}: ${state}`).join(", ");
  const failed = ill.some(({ state }) => state === "failed");
  const more = ill.length > 2 ? `, ${ill.length - 2} more` : "";
  tile(
    "Services",
    well === services.length ? count(well) : `${well} of ${services.length}`,
    ill.length === 0 ? "all running" : `${named}${more}`,
    failed ? "bad" : ill.length > 0 ? "warn" : "good",
  );
  tile("Up for", span(uptime), "");
  const held = sum("held");
  tile("Live sessions", count(sum("live")), held > 0 ? `${count(held)} held` : "none held");
  tile("New a second", rate(rates("acceptedPerSecond")), `${count(sum("served"))} accepted`);
  const [bytesIn, bytesOut] = [size(sum("bytesIn")), size(sum("bytesOut"))];
  tile("Bytes a second", size(rates("bytesPerSecond")), `${bytesIn} in, ${bytesOut} out`);
  const refused = sum("refused");
  const causes = {};
  for (const { tally } of services) {
    for (const [cause, value] of Object.entries(tally.refused)) {
      causes[cause] = (causes[cause] ?? 0) + value;
    }
  }
  const told = largest(causes).slice(0, 2).map(([cause, value]) => `${cause} ${count(value)}`);
  tile("Refused", count(refused), told.join(", "), refused > 0 ? "warn" : "");
  const [errors, dropped] = [sum("errors"), sinks.reduce((all, one) => all + one.dropped, 0)];
  const lost = dropped > 0 ? `${count(dropped)} records dropped` : "";
  tile("Errors", count(errors), lost, errors > 0 || dropped > 0 ? "bad" : "");
  const delay = server?.lastMinute.delayMs;
  tile(
    "Event-loop delay",
    quantiles(delay),
    "p50 / p99, last minute",
    (delay?.p99 ?? 0) > 250 ? "bad" : (delay?.p99 ?? 0) > 50 ? "warn" : "",
  );
}
