// The samples of the last ten minutes: those that the server has kept, and those that came since.

/** Milliseconds that are shown. */
const SPAN = 600_000;
export const SERIES = ["live", "acceptedPerSecond", "bytesPerSecond", "delayMs"];

export class History {
  /** Seconds since 1970, as uPlot has them. */
  times = [];
  /** Of the supervisor's event loop. */
  serverDelay = [];
  /** By service, in the order of the server: by series, one value for each time. */
  services = new Map();
  /** Of the newest sample, in ms. */
  last = 0;

  /** Takes the samples after {@link last}, in the server's words; those that it has already are left out. */
  add({ periodMs, times: all, server, services }) {
    const first = all.findIndex((time) => time > this.last);
    const from = first < 0 ? all.length : first;
    const times = all.slice(from);
    const gap = this.last > 0 && times.length > 0 && times[0] - this.last > 3 * periodMs;
    const before = this.times.length + (gap ? 1 : 0);
    // A line is broken where nothing is known.
    if (gap) {
      for (const line of this.#lines()) line.push(null);
      this.times[this.times.length - 1] = (this.last + periodMs) / 1000;
    }
    const known = new Map();
    for (const [name, samples] of Object.entries(services)) {
      const lines = this.services.get(name) ??
        Object.fromEntries(SERIES.map((one) => [one, new Array(before).fill(null)]));
      for (const one of SERIES) lines[one].push(...samples[one].slice(from));
      known.set(name, lines);
    }
    this.services = known;
    this.serverDelay.push(...server.delayMs.slice(from));
    this.times.push(...times.map((time) => time / 1000));
    this.last = times.at(-1) ?? this.last;
    const old = this.times.findIndex((time) => time * 1000 > this.last - SPAN);
    if (old > 0) { for (const line of this.#lines()) line.splice(0, old); }
  }

  *#lines() {
    yield this.times;
    yield this.serverDelay;
    for (const lines of this.services.values()) yield* Object.values(lines);
  }
}
