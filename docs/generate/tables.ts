/** Tables of what the code has as tables: error codes, records, metrics. */
import { CODES } from "../../runtime/core/errors.ts";
import { EVENTS } from "../../runtime/core/record.ts";
import { newDelays } from "../../runtime/core/statistics.ts";
import { families } from "../../runtime/metrics/metrics.ts";
import type { ServerStatus } from "../../runtime/services/status.ts";
import { FIELD_WORDS } from "../../runtime/values/field-words.ts";
import { EVENT_DOCS } from "./records.ts";
import { code, table } from "./table.ts";

const SIDES = {
  peer: ["The peer, or the way to it", "debug"],
  plugin: ["The plugin", "error"],
  host: ["This machine", "warn"],
  config: ["The start", "error; it stops the start"],
} as const;

export function errorsPage(): string {
  const sections = Object.entries(SIDES).flatMap(([side, [title, level]]) => [
    `## ${title}`,
    `Side ${code(side)}; level ${level}.`,
    table(
      ["code", "means"],
      Object.entries(CODES).filter(([, [of]]) => of === side).map((
        [name, [, text]],
      ) => [code(name), text]),
    ),
  ]);
  return [
    "# Error codes",
    "Errors have a `code` and a `side`, who is at fault. System errors keep their errno names (errno(3))." +
    " A peer that hangs up is no error.",
    ...sections,
  ].join("\n\n");
}

export function recordsPage(): string {
  return [
    "# Records and their fields",
    "Every record has `time`, `level` (`debug`, `info`, `warn`, `error`) and `event`; those of a service" +
    " `service`. All records of a session have the same `session`. The sink `json` writes one a line:",
    '```json\n{"time":"2026-11-28T12:00:00.000Z","level":"info","event":"open","service":"echo","session":17,"remote":"tcp://127.0.0.1:50512","local":"tcp://127.0.0.1:7007"}\n```',
    table(
      ["event", "level", "when", "fields"],
      EVENTS.map((event) => {
        const { level, when, fields } = EVENT_DOCS[event];
        return [code(event), level, when, fields];
      }),
    ),
    "## Reasons",
    "`reason` of a `close` is `done` (the handler has come back, or both sides have ended), `peer`, `reset`," +
    " `error`, `aborted`, `drain`, `deadline`, `worker` (its worker has died), `access` (the hours of its rule have ended), or the limit that struck:" +
    " `idle`, `firstByte`, `lifetime` …",
    "## Words for `fields`",
    "A sink's `fields` are names of fields, or these words of xinetd:",
    table(
      ["word", "fields"],
      Object.entries(FIELD_WORDS).map((
        [word, fields],
      ) => [code(word), [fields].flat().map(code).join(", ")]),
    ),
  ].join("\n\n");
}

/** A server that has something of everything, for the labels. */
const SAMPLE = {
  version: "0",
  runtime: "node",
  pid: 1,
  uptime: 1,
  services: [{
    service: "echo",
    state: "running",
    workers: [{ state: "ready" }],
    group: { cpu: 1, throttled: 0, memory: 1, processes: 1, killed: 0, denied: 0 },
    tally: {
      refused: { idle: 1 },
      ended: { done: 1 },
      errors: { "EPIPE peer": 1 },
      durations: [1],
      totalMs: 1,
      delays: newDelays(),
    },
  }],
  sinks: [{ name: "console", type: "console", dropped: 0 }],
} as unknown as ServerStatus;

export function metricsPage(): string {
  const rows = families(newDelays()).map(({ name, help, type, samples }) => {
    const labels = new Set(samples(SAMPLE).flatMap(({ labels }) => Object.keys(labels)));
    return [code(name), type, [...labels].map(code).join(", "), help];
  });
  return [
    "# Metrics",
    "What the plugin [`admin`](../guide/metrics.md) tells at `/metrics`. Counters do not go back while the" +
    " server runs: not by reloads, and not by workers that die.",
    table(["name", "type", "labels", "means"], rows),
  ].join("\n\n");
}
