/**
 * What a server counts, in the text format of Prometheus. Counting is the services' own affair: here
 * their status is read when somebody asks, so that a server that nobody scrapes pays nothing.
 */
import { Registry } from "prom-client";
import type { ServerStatus, ServiceStatus, SinkStatus } from "../services/status.ts";
import { GROUP_FAMILIES } from "./groups.ts";
import { BUCKETS, DELAY_BUCKETS, type Delays } from "../core/statistics.ts";

/** One sample, as prom-client takes it. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a part of a histogram. */
  readonly metricName?: string;
}

/** One metric. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: (status: ServerStatus) => Sample[];
}

/** One sample for each service. */
function each(value: (service: ServiceStatus) => number): Family["samples"] {
  return ({ services }) =>
    services.map((one) => ({ value: value(one), labels: { service: one.service } }));
}

/** One sample for each service and key. */
function by(
  label: string,
  counts: (service: ServiceStatus) => Readonly<Record<string, number>>,
): Family["samples"] {
  return ({ services }) =>
    services.flatMap((one) =>
      Object.entries(counts(one)).map(([key, value]) => ({
        value,
        labels: { service: one.service, [label]: key },
      }))
    );
}

/** A count for each way. */
function ways(
  received: (service: ServiceStatus) => number,
  sent: (service: ServiceStatus) => number,
): Family["samples"] {
  return by("direction", (one) => ({ in: received(one), out: sent(one) }));
}

/** The samples of a histogram whose buckets are not cumulative yet. */
function histogram(
  name: string,
  labels: Sample["labels"],
  bounds: readonly number[],
  buckets: readonly number[],
  sum: number,
): Sample[] {
  let count = 0;
  const samples: Sample[] = buckets.map((value, index) => ({
    value: count += value,
    labels: { ...labels, le: bounds[index] ?? "+Inf" },
    metricName: `${name}_bucket`,
  }));
  return [
    ...samples,
    { value: sum, labels, metricName: `${name}_sum` },
    { value: count, labels, metricName: `${name}_count` },
  ];
}

/** Sinks of one name, of different options, are one for whoever looks on. */
function droppedBy(sinks: readonly SinkStatus[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { name, dropped } of sinks) sums.set(name, (sums.get(name) ?? 0) + dropped);
  return sums;
}

/** Of the supervisor, where the sockets are, without a label; of workers by their service. */
function delays({ services }: ServerStatus, own: Readonly<Delays>): Sample[] {
  const of = (labels: Sample["labels"], { buckets, seconds }: Delays): Sample[] =>
    histogram(LAG, labels, DELAY_BUCKETS, buckets, seconds);
  const measured = services.filter(({ workers, tally }) =>
    workers.length > 0 || tally.delays.buckets.some((count) => count > 0)
  );
  return [
    ...of({}, own),
    ...measured.flatMap(({ service, tally }) => of({ service }, tally.delays)),
  ];
}

const DURATION = "portico_session_duration_seconds";
const LAG = "portico_event_loop_delay_seconds";

/** All of them; `own` are the delays of this thread. */
export function families(own: Readonly<Delays>): Family[] {
  return [
    {
      name: "portico_info",
      help: "The server: its version and runtime.",
      type: "gauge",
      samples: ({ version, runtime, pid }) => [{ value: 1, labels: { version, runtime, pid } }],
    },
    {
      name: "portico_uptime_seconds",
      help: "Seconds since the start of the server.",
      type: "gauge",
      samples: ({ uptime }) => [{ value: uptime, labels: {} }],
    },
    {
      name: "portico_service_up",
      help: "1 for a service that runs, 0 for one that is suspended, draining, stopped or failed.",
      type: "gauge",
      samples: each(({ state }) => state === "running" ? 1 : 0),
    },
    {
      name: "portico_sessions_accepted_total",
      help: "Sessions that came as far as setup.",
      type: "counter",
      samples: each(({ served }) => served),
    },
    {
      name: "portico_sessions_live",
      help: "Sessions held or served now.",
      type: "gauge",
      samples: each(({ live }) => live),
    },
    {
      name: "portico_sessions_held",
      help: "Sessions that wait for their turn, or for room.",
      type: "gauge",
      samples: each(({ held }) => held),
    },
    {
      name: "portico_sessions_refused_total",
      help: "Sessions refused, by limit or rule.",
      type: "counter",
      samples: by("cause", ({ tally }) => tally.refused),
    },
    {
      name: "portico_sessions_matched_total",
      help: "Connections that a service has told apart and handed on: when, and to which.",
      type: "counter",
      samples: ({ services }) =>
        services.flatMap(({ service, routes = [] }) =>
          routes.map(({ when, service: to, count }) => ({
            value: count,
            labels: { service, when, to },
          }))
        ),
    },
    {
      name: "portico_bans",
      help: "Sources that are shut out of all services.",
      type: "gauge",
      samples: ({ bans }) => [{ value: bans, labels: {} }],
    },
    {
      name: "portico_tls_certificate_expiry_timestamp_seconds",
      help: "When a certificate ends, in seconds since 1970: minus time() is what is left.",
      type: "gauge",
      samples: ({ certificates = [] }) =>
        certificates.map(({ file = "", names: [name = ""], validTo }) => ({
          value: Date.parse(validTo) / 1000,
          labels: { file, name },
        })),
    },
    {
      name: "portico_sessions_ended_total",
      help: "Streams and requests that have ended, by reason.",
      type: "counter",
      samples: by("reason", ({ tally }) => tally.ended),
    },
    {
      name: "portico_errors_total",
      help: "Errors, by code and by the side at fault.",
      type: "counter",
      samples: ({ services }) =>
        services.flatMap(({ service, tally }) =>
          Object.entries(tally.errors).map(([key, value]) => {
            const [code = "", side = ""] = key.split(" ");
            return { value, labels: { service, code, side } };
          })
        ),
    },
    {
      name: "portico_bytes_total",
      help: "Bytes of streams that have ended and of datagrams; of HTTP what streams out.",
      type: "counter",
      samples: ways(({ bytesIn }) => bytesIn, ({ bytesOut }) => bytesOut),
    },
    {
      name: "portico_datagrams_total",
      help: "Datagrams.",
      type: "counter",
      samples: ways(({ datagramsIn }) => datagramsIn, ({ datagramsOut }) => datagramsOut),
    },
    {
      name: "portico_datagrams_lost_total",
      help: "Datagrams that the kernel has dropped because a socket's queue was full.",
      type: "counter",
      samples: each(({ datagramsLost }) => datagramsLost),
    },
    {
      name: "portico_workers",
      help: "Workers, by state.",
      type: "gauge",
      samples: by("state", ({ workers }) => {
        const states: Record<string, number> = {};
        for (const { state } of workers) states[state] = (states[state] ?? 0) + 1;
        return states;
      }),
    },
    {
      name: "portico_worker_restarts_total",
      help: "Workers that died and were replaced.",
      type: "counter",
      samples: each(({ restarts }) => restarts),
    },
    ...GROUP_FAMILIES,
    {
      name: "portico_records_dropped_total",
      help: "Records that a sink has had to give up.",
      type: "counter",
      samples: ({ sinks }) =>
        [...droppedBy(sinks)].map(([sink, value]) => ({ value, labels: { sink } })),
    },
    {
      name: DURATION,
      help: "How long streams and requests took that have ended.",
      type: "histogram",
      samples: ({ services }) =>
        services.flatMap(({ service, tally }) =>
          histogram(DURATION, { service }, BUCKETS, tally.durations, tally.totalMs / 1000)
        ),
    },
    {
      name: LAG,
      help:
        "How much later than asked a timer came: of workers while they serve, by service; without one, of the supervisor.",
      type: "histogram",
      samples: (status) => delays(status, own),
    },
  ];
}

export class Metrics {
  readonly #registry: Registry = new Registry();

  /** @param own the delays of the supervisor's event loop. */
  constructor(status: () => ServerStatus, own: Readonly<Delays>) {
    // One that is switched off would be told from one that is down by nobody.
    const running = (): ServerStatus => {
      const { services, ...server } = status();
      return { ...server, services: services.filter(({ state }) => state !== "disabled") };
    };
    for (const { name, help, type, samples } of families(own)) {
      const metric = {
        name,
        help,
        type,
        aggregator: "sum",
        collect() {},
        get: () =>
          Promise.resolve({ name, help, type, aggregator: "sum", values: samples(running()) }),
      };
      // A metric of our own: prom-client's keep their values themselves.
      this.#registry.registerMetric(metric as never);
    }
  }

  /** The value of Content-Type that belongs to {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
