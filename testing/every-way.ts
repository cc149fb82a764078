/** One conversation, over every transport, in every split, under every strategy. */
import { AssertionError } from "node:assert";
import { STRATEGY_NAMES, type StrategyName } from "../runtime/core/plan.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { Plugin } from "../runtime/core/plugin.ts";
import { splitsState } from "../runtime/core/scope.ts";
import { type CallSite, callSite, cameFrom } from "./call-site.ts";
import type { Data } from "./bytes.ts";
import type { Peer, TestedService } from "./contract.ts";
import {
  byteByByte,
  coalescing,
  cutAfter,
  direct,
  type Outbox,
  Pacer,
  whole,
  type Wire,
} from "./outbox.ts";
import { wrong } from "./expectation.ts";
import { describeRecord } from "./records.ts";
import { MemoryService } from "./service.ts";
import { type Settings, type TestedTransport, transportsOf } from "./settings.ts";

/** What a peer does, in the order in which it is written; each is the method of {@link Peer} of its name. */
export interface Step {
  readonly send?: Data;
  readonly expect?: Data | RegExp | number;
  readonly end?: true;
  readonly expectEnd?: true;
}

/**
 * What a peer says and hears: steps, after which nothing else may come; or a function that does it. It is
 * run many times, so it has to hold each time.
 */
export type Conversation =
  | readonly Step[]
  | ((peer: Peer, service: TestedService) => void | Promise<void>);

/** As those of `open`; what is silent is tried in every way. */
export interface EveryWaySettings extends Omit<Settings, "strategy" | "listen"> {
  readonly strategy?: StrategyName | readonly StrategyName[];
  /**
   * True: each run has a service of its own, and nothing is run twice on one. For plugins that remember
   * what earlier sessions have said, a store for one.
   */
  readonly fresh?: boolean;
  /** True: hooks may throw. Else a record that says that the plugin has failed is a failure of its own. */
  readonly mayFail?: boolean;
}

/** A cut is tried at so many positions; of a longer conversation at some of them, evenly spread. */
const POSITIONS = 256;

/** How one run is done. */
interface Way {
  readonly name: string;
  /** Of a peer: what stands between it and its connection. */
  readonly outbox: (wire: Wire) => Outbox;
  /** Sessions that run at once. */
  readonly sessions?: number;
  /** What it means when this way fails, and those before it did not. */
  readonly hint?: string;
}

const LEAK =
  "state has leaked from one session to another: what belongs to one is kept in session.state";

/** See {@link Conversation}. */
export function everyWay<Options, State>(
  plugin: Plugin<Options, State>,
  conversation: Conversation,
  settings: EveryWaySettings = {},
): Promise<void> {
  // A function has a line of its own for what has failed in it.
  const site = typeof conversation === "function" ? {} : callSite(everyWay);
  return everyStrategy(plugin, conversation, settings, site);
}

async function everyStrategy<Options, State>(
  plugin: Plugin<Options, State>,
  conversation: Conversation,
  settings: EveryWaySettings,
  site: CallSite,
): Promise<void> {
  const {
    strategy = STRATEGY_NAMES,
    transport = transportsOf(plugin),
    fresh = false,
    mayFail = false,
    ...rest
  } = settings;
  for (const transported of [transport].flat() as TestedTransport[]) {
    for (const strategic of [strategy].flat() as StrategyName[]) {
      if (settings.strategy === undefined && !canHave(plugin, transported, strategic, settings)) {
        continue;
      }
      const opened = { ...rest, transport: transported, strategy: strategic };
      await underStrategy(plugin, conversation, opened, { fresh, mayFail }, site);
    }
  }
}

/** Whether a server would have this plugin under this strategy; what is asked for by name is refused by it. */
function canHave(
  { scope }: { readonly scope?: "service" },
  transport: TestedTransport,
  strategy: StrategyName,
  { workers = 2 }: EveryWaySettings,
): boolean {
  const split = strategy !== "serial" && strategy !== "async";
  if (transport === "http" && split) return false;
  return scope !== "service" || !splitsState(strategy, split ? workers : 1);
}

async function underStrategy<Options, State>(
  plugin: Plugin<Options, State>,
  conversation: Conversation,
  settings: Settings & { readonly transport: TestedTransport; readonly strategy: StrategyName },
  { fresh, mayFail }: { readonly fresh: boolean; readonly mayFail: boolean },
  site: CallSite,
): Promise<void> {
  const { transport, strategy } = settings;
  const where = (way: Way): string => `over ${transport}, strategy ${strategy}, ${way.name}`;
  let service = await MemoryService.open(plugin, settings);
  const run = async (way: Way): Promise<void> => {
    try {
      const before = service.records.length;
      await converse(service, conversation, way);
      if (!mayFail) checkErrors(service.records.slice(before));
      if (!fresh) return;
      await service.close();
      service = await MemoryService.open(plugin, settings);
    } catch (error) {
      throw told(error, where(way), way.hint, site);
    }
  };
  try {
    const lengths: number[] = [];
    await run({ name: "each send as one piece", outbox: (wire) => counted(wire, lengths) });
    const stream = transport === "tcp" || transport === "unix";
    if (!fresh) await run({ name: "in a second session", outbox: plain, hint: LEAK });
    if (stream) { for (const way of splits(lengths)) await run(way); }
    if (!fresh) await run(interleaved(stream));
  } finally {
    await service.close();
  }
}

const plain = (wire: Wire): Outbox => direct(wire, whole);

/** Notes how long each piece is that is sent. */
function counted(wire: Wire, lengths: number[]): Outbox {
  return direct(wire, (bytes) => {
    lengths.push(bytes.length);
    return [bytes];
  });
}

function* splits(lengths: readonly number[]): Generator<Way> {
  yield { name: "byte by byte", outbox: (wire) => direct(wire, byteByByte) };
  const pacer = new Pacer();
  yield {
    name: "byte by byte, one in each turn",
    outbox: (wire) => pacer.outbox(wire, byteByByte),
  };
  yield { name: "with sends that follow each other as one piece", outbox: coalescing };
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (const position of positions(lengths)) {
    const pacer = new Pacer();
    const name = `cut after byte ${position} of ${total}`;
    yield { name, outbox: (wire) => pacer.outbox(wire, cutAfter(position)) };
  }
}

/** Where a piece can be cut, counted from the first byte that is sent. */
function positions(lengths: readonly number[]): readonly number[] {
  const found: number[] = [];
  let at = 0;
  for (const length of lengths) {
    for (let inside = 1; inside < length; inside++) found.push(at + inside);
    at += length;
  }
  if (found.length <= POSITIONS) return found;
  const step = found.length / POSITIONS;
  return Array.from({ length: POSITIONS }, (_, index) => found[Math.floor(index * step)]!);
}

function interleaved(stream: boolean): Way {
  const pacer = new Pacer();
  return {
    name: stream ? "two sessions at once, byte by byte in turns" : "two peers at once",
    outbox: (wire) => pacer.outbox(wire, stream ? byteByByte : whole),
    sessions: 2,
    hint: LEAK,
  };
}

async function converse(
  service: MemoryService,
  conversation: Conversation,
  { outbox, sessions = 1 }: Way,
): Promise<void> {
  const peers = Array.from({ length: sessions }, () => service.connectThrough(outbox));
  const runs = peers.map(async (peer) => {
    if (typeof conversation === "function") await conversation(peer, service);
    else await follow(peer, conversation);
    if (peer.kind === "stream") await part(peer, service);
  });
  await Promise.all(runs);
}

async function follow(peer: Peer, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    for (const [action, what] of Object.entries(step)) {
      if (action === "send") peer.send(what);
      else if (action === "expect") await peer.expect(what);
      else if (action === "end") peer.end();
      else if (action === "expectEnd") await peer.expectEnd();
      else throw new TypeError(`a step is send, expect, end or expectEnd: received ${action}`);
    }
  }
  await peer.expectNothing();
}

/** What a plugin throws when nobody hears it any more is thrown, too. */
function checkErrors(records: readonly LogRecord[]): void {
  const errors = records.filter(({ event, level }) => event === "error" && level === "error");
  if (errors.length === 0) return;
  const told = errors.map((record) => `record    ${describeRecord(record)}`);
  throw wrong(["the plugin has failed, though the peer got what it expected", ...told]);
}

/** The peer leaves. A service that goes on speaking is told so by a reset, as by the kernel. */
async function part(peer: Peer, service: TestedService): Promise<void> {
  peer.end();
  await service.settle();
  if (!peer.over) peer.reset();
  await peer.closed;
}

/** The failure, with where it came; of steps, there is one line of the test for all. */
function told(error: unknown, where: string, hint: string | undefined, site: CallSite): unknown {
  if (!(error instanceof Error)) return error;
  const message = `${where}:\n${error.message}${hint === undefined ? "" : `\n  ${hint}`}`;
  const { actual, expected, operator = "everyWay" } = error as Partial<AssertionError>;
  const failure = new AssertionError({ message, actual, expected, operator });
  return cameFrom(failure, site.stack === undefined ? error : site);
}
