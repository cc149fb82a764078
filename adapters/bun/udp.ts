/**
 * UDP over `Bun.udpSocket`, with interned senders. Under load copies of what is sent leave with one
 * `sendMany` for each turn of the event loop. When little is sent that turn would cost more than it
 * saves, so each datagram leaves at once; which of the two is right is tried now and then.
 */
import type { DatagramSocket, DatagramTable, Losses } from "../../runtime/core/contract.ts";
import { Address, normalizeHost } from "../../runtime/core/endpoint.ts";
import { codeOf, PorticoError } from "../../runtime/core/errors.ts";
import { udpAddress } from "../addresses.ts";
import { dropped, fitsUdp, reaches, wrongAddress } from "../datagram.ts";
import { receiveFailure, sendFailure } from "../errno.ts";
import { AddressCache } from "../posix/address-cache.ts";
import type { BatchSocket } from "../posix/batch-socket.ts";
import { senderOf } from "../posix/descriptors.ts";
import { ffiSupport, type Libc, openLibc } from "../posix/libc.ts";
import { lossesOf } from "../posix/losses.ts";
import { SendQueue } from "../posix/send-queue.ts";
import { duplicate } from "../posix/passing.ts";

/** The descriptor is part of it, and not of its types. */
type BunSocket = Bun.udp.Socket<"uint8array"> & { readonly fd: number };

/** Datagrams that one turn gathers before they leave, so that memory stays bounded. */
const GATHER = 1024;

/** Datagrams of one turn that make gathering worth while. */
const BUSY = 32;
/** Turns with less after which it ends. */
const PATIENCE = 16;
/** Datagrams after which it is tried again: at first, and when it was in vain again and again. */
const SAMPLE = 64;
const RARELY = 65536;

/** An address whose host is known to be one that Bun takes. */
class KnownAddress extends Address {}

/** See {@link DatagramSocket}. */
export class UdpSocket implements DatagramSocket {
  data: unknown = undefined;
  #address: Address | undefined;
  readonly #table: DatagramTable;
  readonly #six: boolean;
  readonly #known: AddressCache<KnownAddress>;
  readonly #queue: SendQueue<Address>;
  #socket: BunSocket | undefined;
  #libc: Libc | undefined;
  /** What goes on sending when Bun's socket, which cannot pause, is closed. */
  #sender: BatchSocket | undefined;
  #halted: Promise<void> | undefined;
  /** As `sendMany` takes them: bytes, port, host, and so on. */
  readonly #packets: (Uint8Array | number | string)[] = [];
  #targets: Address[] = [];
  #problems: PorticoError[] = [];
  #scheduled = false;
  #gathering = false;
  /** Turns in sequence that gathered little. */
  #quiet = 0;
  /** Datagrams to send at once before gathering is tried. */
  #ahead = SAMPLE;
  #sample = SAMPLE;
  #closed: Promise<void> | undefined;

  constructor(table: DatagramTable, six: boolean) {
    this.#table = table;
    this.#six = six;
    this.#known = new AddressCache((host, port) =>
      new KnownAddress("udp", normalizeHost(host), port, "")
    );
    this.#queue = new SendQueue<Address>(false, this.#sendOne, (count, to) => {
      this.#fail(dropped(count, to, false));
    });
  }

  get address(): Address {
    return this.#address!;
  }

  /** Opens Bun's socket. `address` is what is bound, when the caller knows. */
  async open(
    where: { readonly hostname?: string; readonly port?: number },
    address?: Address,
  ): Promise<Bun.udp.Socket<"uint8array">> {
    if (ffiSupport() === true) this.#libc = await openLibc();
    const socket = await Bun.udpSocket<"uint8array">({
      ...where,
      binaryType: "uint8array",
      socket: {
        data: (_socket, bytes, port, host) => {
          this.#table.datagram(this, bytes, this.#known.find(host, port), this.#address!);
        },
        // Bun passes the error alone, whatever its types say.
        error: (...values: unknown[]) => this.#receiveFailed(values.at(-1)),
      },
    });
    this.#socket = socket as BunSocket;
    this.#address = address ??
      udpAddress(socket.address.address, socket.address.port);
    return socket;
  }

  #receiveFailed(error: unknown): void {
    if (this.#closed !== undefined) return;
    // The kernel repeats here what a send has reported already.
    if (codeOf(error) === "EMSGSIZE") return;
    this.#table.failure(this, receiveFailure(error ?? "RECEIVE_FAILED"));
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed !== undefined) return true;
    if (this.#sender !== undefined) return this.#sender.send(bytes, to);
    const { host, port } = to;
    if (port === 0) {
      this.#fail(new PorticoError("PEER_UNNAMED"));
      return false;
    }
    if (!(to instanceof KnownAddress) && !reaches(host, this.#six)) {
      this.#fail(wrongAddress(to, "this UDP"));
      return false;
    }
    if (!fitsUdp(bytes.length, host)) {
      this.#fail(sendFailure("EMSGSIZE", to));
      return false;
    }
    if (this.#queue.hasWaiting(to)) {
      this.#queue.push(bytes, to);
      return true;
    }
    if (!this.#gathering) {
      if (--this.#ahead === 0) this.#gathering = true;
      if (!this.#sendOne(bytes, to)) this.#queue.push(bytes, to);
      return true;
    }
    // Not `slice`, which gives a view of a Buffer.
    this.#targets.push(to);
    this.#packets.push(new Uint8Array(bytes), port, host);
    if (this.#targets.length === GATHER) this.#flush();
    else this.#schedule();
    return true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#flush();
    if (this.#problems.length === 0) return;
    const problems = this.#problems;
    this.#problems = [];
    for (const each of problems) {
      if (this.#closed === undefined) this.#table.failure(this, each);
    }
  };

  #flush(): void {
    const targets = this.#targets;
    const packets = this.#packets;
    if (targets.length === 0) return;
    this.#judgeGathering(targets.length);
    let sent = 0;
    try {
      sent = this.#socket!.sendMany(packets);
    } catch {
      // It does not say which one it was about: each is tried by itself.
    }
    // It stops at the first one that the kernel refuses, and does not say why.
    for (; sent < targets.length; sent++) {
      const to = targets[sent]!;
      const bytes = packets[sent * 3] as Uint8Array;
      if (this.#queue.hasWaiting(to) || !this.#sendOne(bytes, to)) this.#queue.push(bytes, to);
    }
    targets.length = 0;
    packets.length = 0;
  }

  /** Whether gathering pays, by what one turn has gathered. */
  #judgeGathering(count: number): void {
    if (count >= BUSY) {
      this.#quiet = 0;
      this.#sample = SAMPLE;
    } else if (++this.#quiet === PATIENCE) {
      this.#gathering = false;
      this.#quiet = 0;
      this.#ahead = this.#sample = Math.min(this.#sample * 4, RARELY);
    }
  }

  readonly #sendOne = (bytes: Uint8Array, to: Address): boolean => {
    if (this.#sender !== undefined) {
      this.#sender.send(bytes, to);
      return true;
    }
    try {
      return this.#socket!.send(bytes, to.port, to.host);
    } catch (error) {
      this.#fail(sendFailure(error, to));
      return true;
    }
  };

  #fail(error: PorticoError): void {
    if (this.#closed !== undefined) return;
    this.#problems.push(error);
    this.#schedule();
  }

  losses(): Losses | undefined {
    if (this.#closed !== undefined || this.#libc === undefined) return undefined;
    return lossesOf(this.#libc, this.#sender?.fd ?? this.#socket!.fd);
  }

  async duplicate(): Promise<number> {
    const libc = await openLibc();
    if (this.#closed !== undefined) {
      throw new PorticoError("NOT_SUPPORTED", `${this.address} is closed`);
    }
    return duplicate(libc, this.#sender?.fd ?? this.#socket!.fd);
  }

  stopReceiving(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    return this.#halted ??= this.#halt().catch((error) => {
      // It goes on as before.
      this.#halted = undefined;
      throw error;
    });
  }

  async #halt(): Promise<void> {
    const libc = await openLibc();
    // What Bun has received in one call it delivers in one turn: only then is nothing lost.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    if (this.#closed !== undefined) return;
    this.#flush();
    this.#sender = this.#makeSender(libc, duplicate(libc, this.#socket!.fd));
    this.#socket!.close();
  }

  #makeSender(libc: Libc, fd: number): BatchSocket {
    const table: DatagramTable = {
      datagram() {},
      failure: (_socket, error) => {
        if (this.#closed === undefined) this.#table.failure(this, error);
      },
    };
    return senderOf(libc, fd, this.address, table);
  }

  close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    this.#flush();
    this.#queue.close();
    if (this.#sender === undefined) this.#socket!.close();
    this.#closed = this.#sender?.close() ?? Promise.resolve();
    return this.#closed;
  }
}
