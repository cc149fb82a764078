/** One service under one strategy, on one transport, with its clients, its records and its operator. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Call, call, type Calling } from "./calls.ts";
import { DATAGRAMS, PATIENCE, STREAMS, type Transport } from "./case.ts";
import { frontOf, type House } from "./house.ts";
import {
  type JsonRecord,
  type RecordPattern,
  type Scope,
  type ServiceStatus,
  until,
  within,
} from "./support.ts";

export type Verb = "suspend" | "resume" | "drain" | "stop";

/** What a status has to have; of `tally`, what was refused. */
export type WantedStatus =
  & Partial<Omit<ServiceStatus, "tally">>
  & { readonly tallied?: Readonly<Record<string, number>> };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until all that run the same case beside each other have come to the same place; one acts for all. */
export type Meeting = (place: string, act: () => unknown) => Promise<void>;

export class Stage {
  readonly transport: Transport;
  readonly kind: "stream" | "datagram" | "http";
  /** Of the service. */
  readonly name: string;
  readonly together: Meeting;
  readonly house: House;
  readonly #scope: Scope;
  #fills = 0;

  constructor(house: House, scope: Scope, name: string, transport: Transport, together: Meeting) {
    this.house = house;
    this.#scope = scope;
    this.name = name;
    this.transport = transport;
    this.together = together;
    this.kind = transport === "tls" || STREAMS.includes(transport)
      ? "stream"
      : DATAGRAMS.includes(transport)
      ? "datagram"
      : "http";
  }

  /** The service that leads to this one, of a case with `match`. */
  get front(): string {
    return frontOf(this.name);
  }

  // Files that the plugin looks at.

  get folder(): string {
    return this.house.folder(this.name);
  }

  /** Makes a file that lets whoever holds on under this name go on, or has a hook do as it says. */
  mark(name: string): void {
    writeFileSync(join(this.folder, name), "");
  }

  unmark(name: string): void {
    rmSync(join(this.folder, name));
  }

  /** How often a hook has run. */
  traced(hook: string): number {
    try {
      const lines = readFileSync(join(this.folder, "trace"), "utf8").split("\n");
      return lines.filter((line) => line === hook).length;
    } catch {
      return 0;
    }
  }

  /** Waits until a hook has run so often. */
  async traces(hook: string, count: number): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (this.traced(hook) < count) {
      assert.ok(performance.now() < end, `${hook} has run ${this.traced(hook)} times of ${count}`);
      await pause(5);
    }
    assert.equal(this.traced(hook), count, `runs of ${hook}`);
  }

  /** Waits until whoever says `hold NAME` has the turn. */
  async holds(name: string): Promise<void> {
    const there = (): boolean => existsSync(join(this.folder, `${name}.held`));
    await until(`the turn of ${name}`, there, PATIENCE);
  }

  // Clients.

  /** Where it listens now. */
  async endpoint(): Promise<string> {
    const { name, front, transport, house } = this;
    if (!house.fronted(name)) return await house.site.endpoint(name, transport);
    return await house.site.endpoint(front, transport === "tls" ? "tcp" : transport);
  }

  /** A client that says one line. */
  async call(line: string, calling?: Calling): Promise<Call> {
    return await call(this.#scope, this.transport, await this.endpoint(), line, calling);
  }

  /** The answer to one line, after which the session is over. */
  async ask(line: string): Promise<string> {
    return await (await this.call(line)).done();
  }

  /** A session that has the turn until {@link mark} lets it go; it is answered with `name` then. */
  async occupy(name: string, calling?: Calling): Promise<Call> {
    const occupant = await this.call(`hold ${name}`, calling);
    await this.holds(name);
    return occupant;
  }

  // Records and counts.

  /** Its records that fit, so far. */
  all(wanted: Exclude<RecordPattern, string>): JsonRecord[] {
    return this.house.server.all({ service: this.name, ...wanted });
  }

  /** Waits for so many records of one event; there are not more. */
  async records(
    event: string,
    count: number,
    more: Exclude<RecordPattern, string> = {},
  ): Promise<JsonRecord[]> {
    const wanted = { event, ...more };
    await until(
      () => `${count} records ${JSON.stringify(wanted)}: ${JSON.stringify(this.all({ event }))}`,
      () => this.all(wanted).length >= count,
      PATIENCE,
    );
    const found = this.all(wanted);
    assert.equal(found.length, count, `records ${event}: ${JSON.stringify(found)}`);
    return found;
  }

  /** @param name {@link front} for that of the one in front. */
  async status(name: string = this.name): Promise<ServiceStatus> {
    return await this.house.site.service(name);
  }

  /** Waits until its status is like this. */
  async until(wanted: WantedStatus, name: string = this.name): Promise<ServiceStatus> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const status = await this.status(name);
      const found = { ...status, tallied: status.tally.refused };
      const keys = Object.keys(wanted) as (keyof WantedStatus)[];
      if (keys.every((key) => isDeepStrictEqual(found[key], wanted[key]))) return status;
      if (performance.now() > end) {
        const shown = Object.fromEntries(keys.map((key) => [key, found[key]]));
        assert.deepEqual(shown, wanted, `the status of ${name}`);
      }
      await pause(5);
    }
  }

  /** Waits until nobody is served or waits. */
  async idle(more: WantedStatus = {}): Promise<ServiceStatus> {
    return await this.until({ live: 0, held: 0, ...more });
  }

  /** Lets exactly `sessions` come in again, of which one is served and the others wait. */
  async refill(sessions: number): Promise<void> {
    const name = `fill-${++this.#fills}`;
    const { refused } = await this.status();
    const calls = [await this.occupy(name)];
    while (calls.length < sessions) {
      calls.push(await this.call("echo filled"));
      await this.until({ live: calls.length, held: calls.length - 1 });
    }
    const late = await this.call("echo late");
    const records = await this.records("refuse", refused + 1);
    assert.equal(records.at(-1)!["limit"], "sessions");
    await late.refused(503);
    this.mark(name);
    const answers = [];
    for (const one of calls) answers.push(await one.done());
    assert.deepEqual(answers, [name, ...calls.slice(1).map(() => "filled")]);
    await this.idle();
  }

  // The operator.

  /** Asks for something of this service over the control socket. It may be awaited later. */
  control(verb: Verb): Promise<unknown> {
    const asked = this.house.site.ask(verb, { service: this.name });
    const answer = within(`the answer to ${verb}`, asked, PATIENCE);
    answer.catch(() => {});
    return answer;
  }

  /** Shuts a source out of all services of the server, for good. */
  async ban(source: string): Promise<void> {
    await this.house.site.ask("ban", { source });
  }

  /** Reloads a manifest that is as it was. */
  async reload(): Promise<void> {
    await this.house.reload();
  }

  /** Reloads one in which this service is another; what `version` is answered with from then on. */
  async change(): Promise<string> {
    return `${await this.house.change(this.name)}`;
  }
}
