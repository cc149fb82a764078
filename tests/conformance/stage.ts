/** Where a case is played: servers and peers that are gone when it is over. */
import assert from "node:assert/strict";
import type {
  BindableEndpoint,
  Connection,
  DatagramSocket,
  Listener,
  NamedEndpoint,
  SocketOptions,
  Support,
} from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { kindOf } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { lackingPrograms, type ProgramName } from "../support/packages.ts";
import { within } from "../support/until.ts";
import type {
  ConnectOptions,
  DatagramPeer,
  DatagramTransport,
  Harness,
  StreamPeer,
  Tested,
} from "./harness.ts";
import { Receiver } from "./receiver.ts";
import type { Answer } from "./receiver.ts";
import { Recorder } from "./recorder.ts";
import type { Behaviour, Tapped } from "./recorder.ts";

/** One rule of the contract, as something to do. */
export interface Case {
  /** A sentence. */
  readonly name: string;
  /** Where it is of no use; all transports of its kind when silent. */
  readonly only?: Tested;
  /** What it needs, or why it cannot be had: the reason to skip. */
  readonly needs?: (harness: Harness, transport: Tested) => Support;
  readonly run: (stage: Stage) => Promise<void>;
}

/** For {@link Case.needs}. */
export const kernel = ({ kernel }: Harness): Support => kernel;

/** Programs of this machine, to prepare a case by. */
export const programsAnywhere = (...names: readonly ProgramName[]) => (): Support => {
  const reason = lackingPrograms(...names);
  return reason === false ? true : { reason };
};

/** Sockets, and programs of this machine as peers. */
export const programs = (...names: readonly ProgramName[]) => ({ kernel }: Harness): Support => {
  const reason = lackingPrograms(...names);
  return both(kernel, reason === false ? true : { reason });
};

/** Both of two. */
export function both(one: Support, other: Support): Support {
  return one === true ? other : one;
}

/** Who asks whether somebody lives at a path connects, and leaves. */
const IDLE = {
  open() {},
  data() {},
  drain() {},
  end: (connection: Connection) => connection.end(),
  close() {},
  failure() {},
  datagram() {},
};

export class Stage {
  readonly harness: Harness;
  readonly transport: Tested;
  readonly #servers: (Recorder | Receiver)[] = [];

  constructor(harness: Harness, transport: Tested) {
    this.harness = harness;
    this.transport = transport;
  }

  get adapter(): Harness["adapter"] {
    return this.harness.adapter;
  }

  settle(): Promise<void> {
    return this.harness.settle();
  }

  /** Listens; at a free place when `endpoint` is undefined. */
  async listen(
    behaviour: Behaviour = {},
    options: SocketOptions = {},
    endpoint: BindableEndpoint = this.harness.place(this.transport),
  ): Promise<Recorder> {
    const recorder = new Recorder(behaviour);
    recorder.listener = await within(
      "listen",
      this.adapter.listen(endpoint, recorder, options),
    );
    this.#servers.push(recorder);
    return recorder;
  }

  connect(to: Recorder | Address, options?: ConnectOptions): Promise<StreamPeer> {
    const address = to instanceof Recorder ? to.listener.address : to;
    return within(`connect to ${address}`, this.harness.connect(address, options));
  }

  /** A server and one connection to it. */
  async pair(behaviour: Behaviour = {}, options?: ConnectOptions): Promise<Pair> {
    const server = await this.listen(behaviour);
    const peer = await this.connect(server, options);
    return { server, peer, connection: await server.connection(0) };
  }

  /** Binds; at a free place when `endpoint` is undefined. */
  async bind(
    answer: Answer = () => {},
    options: SocketOptions = {},
    endpoint: BindableEndpoint = this.harness.place(this.transport),
  ): Promise<Receiver> {
    const receiver = new Receiver(answer);
    receiver.socket = await within("bind", this.adapter.bind(endpoint, receiver, options));
    this.#servers.push(receiver);
    return receiver;
  }

  /** A socket with one peer, that hears nobody else. */
  async dial(endpoint: NamedEndpoint): Promise<Caller> {
    const receiver = new Receiver(() => {});
    const socket = await within("dial", this.adapter.dial(endpoint, receiver));
    receiver.socket = socket;
    this.#servers.push(receiver);
    return {
      received: receiver.received,
      send: (bytes) => void receiver.send(bytes, socket.target),
    };
  }

  /** Opens a socket of this transport that is of no use but to be there. It is the caller's to close. */
  open(
    endpoint: BindableEndpoint,
    options: SocketOptions = {},
  ): Promise<Listener | DatagramSocket> {
    return kindOf(endpoint.transport) === "stream"
      ? this.adapter.listen(endpoint, IDLE, options)
      : this.adapter.bind(endpoint, IDLE, options);
  }

  join(from?: string): Promise<DatagramPeer> {
    return within("a peer", this.harness.join(this.transport as DatagramTransport, from));
  }

  /** Ends what a case has left. @throws when a rule was broken. */
  async stop(): Promise<void> {
    for (const server of this.#servers) {
      await server.stop(() => this.settle());
    }
  }
}

/** Who has dialed. */
export interface Caller {
  readonly received: Receiver["received"];
  send(bytes: Uint8Array): void;
}

/** Both ends of one connection. */
export interface Pair {
  readonly server: Recorder;
  readonly peer: StreamPeer;
  readonly connection: Tapped;
}

/** Plays a case on a stage of its own. */
export async function play(
  { run }: Case,
  harness: Harness,
  transport: Tested,
): Promise<void> {
  const stage = new Stage(harness, transport);
  try {
    try {
      await run(stage);
    } finally {
      await stage.stop();
    }
  } finally {
    await harness.close();
  }
}

/** That `attempt` fails with `code`, and is the configuration's fault. */
export async function rejects(
  attempt: Promise<{ close(): Promise<void> } | DatagramSocket>,
  code: string,
  mentions: string,
): Promise<void> {
  let error: PorticoError;
  try {
    const made = await within("a refusal", attempt);
    await made.close();
  } catch (thrown) {
    error = thrown as PorticoError;
    assert.equal(error.name, "PorticoError", `${error.stack}`);
    assert.equal(error.code, code, error.message);
    assert.equal(error.side, "config", error.message);
    assert.ok(error.message.includes(mentions), `${error.message} does not name ${mentions}`);
    return;
  }
  assert.fail(`it was opened; ${code} was due`);
}
