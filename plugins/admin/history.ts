/** The last ten minutes of a server, a sample each second: for whoever opens the page later. */
import { clearInterval, setInterval } from "node:timers";
import type { Operator, ServiceStatus } from "../../runtime/mod.ts";
import { type Quantiles, RecentQuantiles } from "./quantiles.ts";

/** Milliseconds between two samples, and how many are kept. */
const PERIOD = 1000;
const SAMPLES = 600;

/** What is known of a service at each moment: four bytes each. */
const SERIES = ["live", "acceptedPerSecond", "bytesPerSecond", "delayMs"] as const;
type Series = typeof SERIES[number];

/** By name; null where it was not there, or where nothing was measured. */
export type SeriesJson = Readonly<Record<Series, readonly (number | null)[]>>;

/** Of the last minute. */
interface RecentJson {
  /** How late timers came on the event loops of its workers, in ms. */
  readonly delayMs: Quantiles | null;
  /** How long sessions took that have ended, in ms. */
  readonly durationMs: Quantiles | null;
}

/** Samples after a moment, in the order of their times. */
export interface HistoryJson {
  readonly periodMs: number;
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  /** Of the supervisor's own event loop. */
  readonly server: {
    readonly delayMs: readonly (number | null)[];
    readonly lastMinute: Pick<RecentJson, "delayMs">;
  };
  readonly services: Readonly<Record<string, SeriesJson & { readonly lastMinute: RecentJson }>>;
}

/** Counts of which the next sample is the growth. */
interface Counts {
  served: number;
  bytes: number;
  delays: Delays;
}
type Delays = ReturnType<Operator["delays"]>;

interface Kept {
  /** One after the other, each as a ring. */
  readonly values: Float32Array;
  readonly delays: RecentQuantiles;
  readonly durations: RecentQuantiles;
  counts: Counts | undefined;
}

/** Bounded: {@link SAMPLES} for each service that the server has. */
export class History {
  readonly #operator: Operator;
  readonly #samples: number;
  readonly #times: Float64Array;
  readonly #own: Float32Array;
  readonly #ownRecent: RecentQuantiles;
  #ownBefore: Delays | undefined = undefined;
  readonly #services: Map<string, Kept> = new Map();
  /** How many samples were taken: the next one's place is the rest of a division. */
  #taken = 0;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(operator: Operator, samples = SAMPLES) {
    this.#operator = operator;
    this.#samples = samples;
    this.#times = new Float64Array(samples);
    this.#own = new Float32Array(samples).fill(NaN);
    this.#ownRecent = new RecentQuantiles(operator.bounds.delays);
  }

  /** Takes a sample each second, until it is closed. Keeps no process alive. */
  start(): void {
    this.#timer = setInterval(() => {
      try {
        this.sample(Date.now());
      } catch {
        // The server is starting, or ends.
      }
    }, PERIOD);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** @param now in ms since 1970. @throws PorticoError NOT_RUNNING while the server is starting. */
  sample(now: number): void {
    const { services } = this.#operator.control.status();
    const own = copyOf(this.#operator.delays());
    const place = this.#taken % this.#samples;
    const last = this.#times[(this.#taken + this.#samples - 1) % this.#samples]!;
    const seconds = this.#taken === 0 ? 0 : (now - last) / 1000;
    this.#times[place] = now;
    this.#own[place] = delayOf(own, this.#ownBefore);
    this.#ownBefore = own;
    this.#ownRecent.note(own.buckets, now);
    const names = new Set(services.map(({ service }) => service));
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
    for (const status of services) this.#sampleService(status, place, seconds, now);
    this.#taken++;
  }

  #sampleService(status: ServiceStatus, place: number, seconds: number, now: number): void {
    const kept = this.#keep(status.service);
    const before = kept.counts;
    const { served, bytesIn, bytesOut, live, tally } = status;
    const counts = kept.counts = {
      served,
      bytes: bytesIn + bytesOut,
      delays: copyOf(tally.delays),
    };
    const rate = (count: number, last: number | undefined): number =>
      last === undefined || seconds <= 0 ? NaN : Math.max(0, count - last) / seconds;
    const sample: Readonly<Record<Series, number>> = {
      live,
      acceptedPerSecond: rate(served, before?.served),
      bytesPerSecond: rate(counts.bytes, before?.bytes),
      delayMs: delayOf(counts.delays, before?.delays),
    };
    for (const [index, name] of SERIES.entries()) {
      kept.values[index * this.#samples + place] = sample[name];
    }
    kept.delays.note(tally.delays.buckets, now);
    kept.durations.note(tally.durations, now);
  }

  #keep(name: string): Kept {
    let kept = this.#services.get(name);
    if (kept === undefined) {
      const { delays, durations } = this.#operator.bounds;
      kept = {
        values: new Float32Array(SERIES.length * this.#samples).fill(NaN),
        delays: new RecentQuantiles(delays),
        durations: new RecentQuantiles(durations),
        counts: undefined,
      };
      this.#services.set(name, kept);
    }
    return kept;
  }

  /** The samples after a moment, in ms since 1970. */
  since(after: number): HistoryJson {
    const places: number[] = [];
    for (let i = Math.max(0, this.#taken - this.#samples); i < this.#taken; i++) {
      const place = i % this.#samples;
      if (this.#times[place]! > after) places.push(place);
    }
    const read = (values: Float32Array, offset = 0): (number | null)[] =>
      places.map((place) => tenths(values[offset + place]!));
    const services = [...this.#services].map(([name, { values, delays, durations }]) => {
      const series = SERIES.map((one, index) => [one, read(values, index * this.#samples)]);
      const lastMinute = { delayMs: delays.get() ?? null, durationMs: durations.get() ?? null };
      return [name, { ...Object.fromEntries(series), lastMinute }];
    });
    return {
      periodMs: PERIOD,
      times: places.map((place) => this.#times[place]!),
      server: {
        delayMs: read(this.#own),
        lastMinute: { delayMs: this.#ownRecent.get() ?? null },
      },
      services: Object.fromEntries(services),
    };
  }
}

/** The mean of what was measured since, in ms; NaN where that is nothing. */
function delayOf(now: Delays, before: Delays | undefined): number {
  const count = before === undefined ? 0 : total(now) - total(before);
  return count <= 0 ? NaN : (now.seconds - before!.seconds) / count * 1000;
}

function total({ buckets }: Delays): number {
  return buckets.reduce((sum, count) => sum + count, 0);
}

function copyOf({ buckets, seconds }: Delays): Delays {
  return { buckets: [...buckets], seconds };
}

function tenths(value: number): number | null {
  return Number.isNaN(value) ? null : Math.round(value * 10) / 10;
}
