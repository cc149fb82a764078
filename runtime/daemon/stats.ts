import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import type { ServiceStatus } from "../services/status.ts";
import { ERASE, noteStatusLine } from "../sinks/standard.ts";
import { bytes } from "../terminal/status.ts";

/** Milliseconds between two lines. */
const PERIOD = 1000;

/**
 * Keeps a line about the services at the bottom of a terminal, on standard error. The cursor goes
 * back to its start, so that a record that is printed takes its place. Nothing where that is no terminal.
 *
 * @returns ends it.
 */
export function showStats(status: () => readonly ServiceStatus[]): () => void {
  const { stderr } = process;
  if (!stderr.isTTY) return () => {};
  let served = sum(status(), "served");
  const timer = setInterval(() => {
    const services = status();
    const now = sum(services, "served");
    const line = describe(services, (now - served) * 1000 / PERIOD);
    served = now;
    stderr.write(`${ERASE}${line.slice(0, (stderr.columns || 80) - 1)}\r`);
    noteStatusLine();
  }, PERIOD);
  timer.unref();
  return () => {
    clearInterval(timer);
    stderr.write(ERASE);
  };
}

/** `3 live, 12 held, 250/s, 10234 served, 3 refused, 0 errors, 1.5 MiB in, 1.5 MiB out`. */
export function describe(services: readonly ServiceStatus[], rate: number): string {
  const held = sum(services, "held");
  return [
    `${sum(services, "live")} live`,
    ...(held > 0 ? [`${held} held`] : []),
    `${Math.round(rate)}/s`,
    `${sum(services, "served")} served`,
    `${sum(services, "refused")} refused`,
    `${sum(services, "errors")} errors`,
    `${bytes(sum(services, "bytesIn"))} in`,
    `${bytes(sum(services, "bytesOut"))} out`,
  ].join(", ");
}

type Name = "live" | "held" | "served" | "refused" | "errors" | "bytesIn" | "bytesOut";

function sum(services: readonly ServiceStatus[], name: Name): number {
  return services.reduce((total, service) => total + service[name], 0);
}
