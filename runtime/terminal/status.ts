/** The table of `portico ctl status`. */
import type { ServerStatus, ServiceStatus } from "../services/status.ts";
import { columns } from "./output.ts";

const HEAD = [
  "service",
  "state",
  "strategy",
  "live",
  "held",
  "served",
  "refused",
  "errors",
  "restarts",
  "in",
  "out",
  "endpoints",
];

/** For people: a line for the server, one for each service, one for each worker. */
export function renderStatus(status: ServerStatus): string {
  const { manifest, runtime, pid, uptime, version, services } = status;
  let text = `${manifest}: Portico ${version} on ${runtime}, pid ${pid}, up ${span(uptime)}\n`;
  if (services.length > 0) text += `\n${columns([HEAD, ...services.flatMap(rowsOf)])}`;
  const workers = services.flatMap(workerRows);
  if (workers.length > 0) {
    text += `\n${columns([["worker", "pid", "state", "live", "served", "up"], ...workers])}`;
  }
  const grouped = services.flatMap(groupRows);
  if (grouped.length > 0) text += `\n${columns([GROUP_HEAD, ...grouped])}`;
  const late = services.filter(({ datagramsLost }) => datagramsLost > 0)
    .map(({ service, datagramsLost }) => [service, String(datagramsLost)]);
  if (late.length > 0) text += `\n${columns([["service", "datagrams lost"], ...late])}`;
  const lossy = status.sinks.filter(({ dropped }) => dropped > 0)
    .map(({ name, type, dropped }) => [name, type, String(dropped)]);
  if (lossy.length > 0) text += `\n${columns([["sink", "type", "dropped"], ...lossy])}`;
  const certificates = (status.certificates ?? []).map((
    { names, validTo, file = "self-signed" },
  ) => [names.join(", "), validTo, file]);
  if (certificates.length > 0) {
    text += `\n${columns([["certificate of", "valid until", "file"], ...certificates])}`;
  }
  return text;
}

/** Further endpoints stand below the first. */
function rowsOf(one: ServiceStatus): string[][] {
  const [first = "-", ...more] = one.endpoints;
  const counts = [one.live, one.held, one.served, one.refused, one.errors, one.restarts];
  const row = [one.service, one.state, one.strategy, ...counts.map(String)];
  return [
    [...row, bytes(one.bytesIn), bytes(one.bytesOut), first],
    ...more.map((endpoint) => [...HEAD.slice(1).map(() => ""), endpoint]),
  ];
}

function workerRows({ service, workers }: ServiceStatus): string[][] {
  return workers.map(({ pid, state, live, served, uptime }) => [
    service,
    String(pid),
    state,
    String(live),
    String(served),
    span(uptime),
  ]);
}

const GROUP_HEAD = [
  "service",
  "kept by the kernel",
  "memory",
  "processes",
  "cpu",
  "held up",
  "limited",
];

/** Of services whose resources the kernel keeps. */
function groupRows({ service, group }: ServiceStatus): string[][] {
  if (group === undefined) return [];
  const { controllers, memory, processes, cpu, throttled, killed, denied } = group;
  return [[
    service,
    controllers.map((name) => name === "pids" ? "processes" : name).join(" "),
    memory === undefined ? "-" : bytes(memory),
    String(processes ?? "-"),
    `${cpu.toFixed(1)}s`,
    `${throttled.toFixed(1)}s`,
    String(killed + denied),
  ]];
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `0`, `512 B`, `1.5 KiB`, `20 MiB`. */
export function bytes(count: number): string {
  if (count === 0) return "0";
  let unit = 0;
  let value = count;
  // What would be rounded up to 1024 is one of the next unit.
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds as `12s`, `5m 3s`, `2h 5m`, `3d 4h`. */
export function span(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${Math.floor(whole % 3600 / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor(whole % 86_400 / 3600)}h`;
}
