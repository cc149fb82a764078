/**
 * Delivery to a log server that may not be there: what waits is bounded, what is too much is counted,
 * and a server that is lost is looked for with growing pauses.
 */
import { setImmediate, setTimeout } from "node:timers";
import { messageOf, PorticoError, toPorticoError } from "../core/errors.ts";
import type { LogRecord, Sink } from "../core/record.ts";
import type { FrameSource, Link, LinkEvents, OpenLink } from "./link/link.ts";
import { type Bounds, Queue } from "./queue.ts";

/** Pauses between two attempts to reach the server, in ms: each is double the one before, less up to half of it. */
const PAUSE = 100;
const PAUSE_MAX = 30_000;
/** A link that has held so long, in ms, was a good one: the pauses begin anew, and its loss is news. */
const STEADY = 5000;
/** How long a close may take, in ms: less than the server gives its sinks. */
const CLOSE = 1500;

/** What a delivery is made of. */
export interface DeliveryInput {
  /** For messages: "the syslog server tcp://…". */
  readonly name: string;
  readonly bounds: Bounds;
  /** A record as the bytes that the server is to get; it may throw. */
  readonly encode: (record: LogRecord) => Uint8Array;
  readonly open: OpenLink;
  readonly warn: (message: string) => void;
}

/** A sink that delivers records, each as one frame. Its first attempt begins with {@link start}. */
export class Delivery implements Sink {
  readonly #input: DeliveryInput;
  readonly #queue: Queue;
  #link: Link | undefined = undefined;
  #opening = false;
  /** Since when there is the link. */
  #since = 0;
  #tries = 0;
  #retry: NodeJS.Timeout | undefined = undefined;
  #scheduled = false;
  #warned = false;
  /** Nothing is taken any more; nothing is sent any more. */
  #closed = false;
  #over = false;
  #dropped = 0;
  /** Of these, what the server has not been told of. */
  #unreported = 0;
  /** The report of what was dropped that comes next; how many each report that was made tells of. */
  #lossReport: Uint8Array | undefined = undefined;
  readonly #lossReports: WeakMap<Uint8Array, number> = new WeakMap();
  /** The link has taken nothing yet. */
  #fresh = false;
  #flushes: (() => void)[] = [];

  constructor(input: DeliveryInput) {
    this.#input = input;
    this.#queue = new Queue(input.bounds);
  }

  /** Looks for the server. */
  start(): this {
    void this.#open();
    return this;
  }

  write(record: LogRecord): void {
    if (this.#closed) return;
    let frame;
    try {
      frame = this.#input.encode(record);
    } catch {
      // A plugin has logged what nobody can put into words.
      return this.#drop(1);
    }
    this.#drop(this.#queue.push(frame));
    this.#schedule();
  }

  dropped(): number {
    return this.#dropped;
  }

  /** Somebody has rotated, or repaired, what was there: the next attempt is now. */
  reopen(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    void this.#open();
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      this.#settleFlushes();
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const end = performance.now() + CLOSE;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE));
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
    this.#over = true;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const link = this.#link;
    this.#link = undefined;
    const unsent = await link?.close(Math.max(0, end - performance.now())) ?? 0;
    const left = this.#queue.length + unsent;
    if (left === 0) return;
    this.#dropped += left;
    this.#input.warn(`${this.#input.name} was not there for the last ${count(left)}`);
  }

  #drop(lost: number): void {
    this.#dropped += lost;
    this.#unreported += lost;
  }

  async #open(): Promise<void> {
    this.#opening = true;
    /** It may be lost before it is ours. */
    let early: PorticoError | undefined;
    let link: Link | undefined;
    const events: LinkEvents = {
      ready: () => {
        if (link !== undefined && link === this.#link) this.#pump();
      },
      lost: (error) => {
        if (link === undefined) early = error;
        else if (link === this.#link) this.#lose(error);
      },
    };
    try {
      link = await this.#input.open(events);
    } catch (thrown) {
      this.#opening = false;
      return this.#lose(toPorticoError(thrown, "SINK_FAILED"));
    }
    this.#opening = false;
    this.#link = link;
    this.#since = performance.now();
    this.#fresh = true;
    if (early !== undefined) return this.#lose(early);
    if (!this.#over) return this.#pump();
    this.#link = undefined;
    void link.close(0);
  }

  #lose(error: PorticoError): void {
    const unsent = this.#link?.unsent ?? [];
    const held = this.#link !== undefined && performance.now() - this.#since > STEADY;
    this.#link = undefined;
    if (held) {
      this.#tries = 0;
      this.#warned = false;
    }
    if (this.#lossReport !== undefined) this.#isLossReport(this.#lossReport);
    this.#lossReport = undefined;
    this.#drop(this.#queue.unshift(unsent.filter((frame) => !this.#isLossReport(frame))));
    if (!this.#warned) {
      this.#warned = true;
      const { name, bounds } = this.#input;
      this.#input.warn(
        `${name} is out of reach: ${messageOf(error)}; up to ${count(bounds.records)} wait for it`,
      );
    }
    this.#settleFlushes();
    if (this.#closed) return;
    const time = Math.min(PAUSE_MAX, PAUSE * 2 ** Math.min(this.#tries++, 16));
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#open();
    }, time * (1 - Math.random() / 2)).unref();
  }

  /** Whether it is a report, which has not arrived: what it says has still to be said. */
  #isLossReport(frame: Uint8Array): boolean {
    const lost = this.#lossReports.get(frame);
    if (lost === undefined) return false;
    this.#unreported += lost;
    return true;
  }

  /** What is written in one turn is sent in one. */
  #schedule(): void {
    if (this.#scheduled || this.#link === undefined) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#pump();
  };

  #pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    try {
      if (link.pump(this.#source)) this.#schedule();
    } catch (thrown) {
      const error = toPorticoError(thrown, "SINK_FAILED");
      if (error.code === "EMSGSIZE") {
        this.#source.shift();
        this.#drop(1);
        this.#schedule();
      } else {
        this.#lose(error);
        void link.close(0);
      }
    }
    this.#settleFlushes();
  }

  /** The queue, with the report of what was dropped where it belongs: before what is left, or after it. */
  readonly #source: FrameSource = {
    peek: () => {
      if (this.#lossReport !== undefined) return this.#lossReport;
      const next = this.#queue.peek();
      if (this.#unreported === 0) return next;
      const first = this.#fresh && this.#input.bounds.overflow === "oldest";
      if (next !== undefined && !first) return next;
      this.#lossReport = this.#input.encode(lossOf(this.#unreported));
      this.#lossReports.set(this.#lossReport, this.#unreported);
      this.#unreported = 0;
      return this.#lossReport;
    },
    shift: () => {
      this.#fresh = false;
      if (this.#lossReport === undefined) this.#queue.shift();
      else this.#lossReport = undefined;
    },
  };

  /** Tells those who wait that all is done, or that nothing can be done. */
  #settleFlushes(): void {
    if (this.#flushes.length === 0 || this.#opening) return;
    if (this.#link !== undefined) {
      const done = this.#source.peek() === undefined && this.#link.idle;
      if (!done) return;
    }
    for (const resolve of this.#flushes.splice(0)) resolve();
  }
}

function lossOf(lost: number): LogRecord {
  return {
    time: Date.now(),
    level: "warn",
    event: "error",
    code: "SINK_FAILED",
    message: `${count(lost)} ${
      lost === 1 ? "was" : "were"
    } lost: the log server was out of reach or too slow`,
    side: "host",
    lost,
  };
}

function count(records: number): string {
  return records === 1 ? "1 record" : `${records} records`;
}
