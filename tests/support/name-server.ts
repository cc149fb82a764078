/** A name server of a test's own: answers over UDP and TCP what the test tells it. */
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { Observable } from "./observable.ts";
import type { Scope } from "./scope.ts";

const TYPES: Readonly<Record<number, string>> = { 1: "A", 12: "PTR", 28: "AAAA" };

/** What it does with a question; when silent, there is no such name. */
export interface Zone {
  /** `A`, `AAAA` or `PTR` records, or a `CNAME` in their place. */
  readonly values?: readonly string[];
  readonly alias?: string;
  /** In seconds. */
  readonly ttl?: number;
  /** Nothing is answered. */
  readonly silent?: boolean;
  /** An answer with this code, as 2, SERVFAIL. */
  readonly code?: number;
  /** It does not fit a datagram. */
  readonly truncated?: boolean;
  /** Changes what is sent over UDP. */
  readonly spoil?: (message: Buffer) => Buffer;
}

export class NameServer extends Observable {
  /** Questions, as `good.example.org A`, in the order in which they came. */
  readonly asked: string[] = [];
  readonly zones: Map<string, Zone> = new Map();
  /** Of what there is not, by SOA, in seconds. */
  negativeTtl = 60;
  /** Of every name that is not in {@link zones}. */
  otherwise: Zone = {};
  #udp!: Socket;
  readonly #tcp: Server;
  port = 0;

  private constructor() {
    super();
    this.#tcp = createServer((socket) => {
      let received = Buffer.alloc(0);
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        const answer = this.#answer(received.subarray(2), false);
        if (answer === undefined) return;
        const size = Buffer.alloc(2);
        size.writeUInt16BE(answer.length);
        socket.end(Buffer.concat([size, answer]));
      });
    });
  }

  static async start(
    scope: Scope,
    zones: Readonly<Record<string, Zone>> = {},
  ): Promise<NameServer> {
    const server = new NameServer();
    await server.#open();
    scope.after(async () => {
      await new Promise<void>((resolve) => server.#udp.close(() => resolve()));
      await new Promise<void>((resolve) => server.#tcp.close(() => resolve()));
    });
    for (const [name, zone] of Object.entries(zones)) server.set(name, zone);
    return server;
  }

  protected summary(): string {
    return this.asked.join(", ");
  }

  /** One port of both; another one where somebody has that of TCP already. */
  async #open(): Promise<void> {
    for (let tries = 0;; tries++) {
      const udp = this.#udp = createSocket("udp4");
      udp.on("message", (question, { port, address }) => {
        const answer = this.#answer(question, true);
        if (answer !== undefined) udp.send(answer, port, address);
      });
      await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
      this.port = udp.address().port;
      try {
        await new Promise<void>((resolve, reject) => {
          this.#tcp.once("error", reject).listen(this.port, "127.0.0.1", resolve);
        });
        return;
      } catch (error) {
        udp.close();
        if (tries > 20) throw error;
      }
    }
  }

  /** What a manifest says of it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** @param name with its type, `good.example.org A`; of `PTR` an address of IPv4. */
  set(name: string, zone: Zone): void {
    const [host = "", type] = name.split(" ");
    const key = type === "PTR" ? `${host.split(".").reverse().join(".")}.in-addr.arpa PTR` : name;
    this.zones.set(key, zone);
  }

  /** How often something was asked. */
  count(name: string): number {
    return this.asked.filter((one) => one === name).length;
  }

  #answer(question: Buffer, udp: boolean): Buffer | undefined {
    let at = 12;
    const labels: string[] = [];
    while (question[at] !== 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + question[at]!));
      at += question[at]! + 1;
    }
    const type = question.readUInt16BE(at + 1);
    const name = labels.join(".");
    const key = `${name} ${TYPES[type] ?? type}`;
    this.asked.push(key);
    this.changed();
    const known = [...this.zones.keys()].some((one) => one.startsWith(`${name} `));
    const zone = this.zones.get(key) ?? (known ? { values: [] } : this.otherwise);
    if (zone.silent === true) return undefined;
    const cut = udp && zone.truncated === true;
    const records = cut ? [] : recordsOf(name, type, zone);
    const nothing = zone.values === undefined && zone.alias === undefined &&
      zone.code === undefined;
    const authority = !cut && records.length === 0 ? [soa(this.negativeTtl)] : [];
    const head = Buffer.alloc(12);
    question.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (cut ? 0x0200 : 0) | (zone.code ?? (nothing ? 3 : 0)), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt16BE(authority.length, 8);
    const whole = Buffer.concat([head, question.subarray(12, at + 5), ...records, ...authority]);
    return udp && zone.spoil !== undefined ? zone.spoil(whole) : whole;
  }
}

function recordsOf(name: string, type: number, { values = [], alias, ttl = 60 }: Zone): Buffer[] {
  const owner = alias ?? name;
  return [
    ...(alias === undefined ? [] : [record(nameBytes(name), 5, ttl, nameBytes(alias))]),
    ...values.map((value) => {
      const data = type === 12 ? nameBytes(value) : type === 1 ? quad(value) : groups(value);
      // The name of the question, where that is it: as servers compress it.
      return record(owner === name ? Buffer.from([0xc0, 12]) : nameBytes(owner), type, ttl, data);
    }),
  ];
}

function record(owner: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function soa(minimum: number): Buffer {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(minimum, 16);
  const data = Buffer.concat([
    nameBytes("ns.example.org"),
    nameBytes("admin.example.org"),
    numbers,
  ]);
  return record(nameBytes("example.org"), 6, 3600, data);
}

function nameBytes(name: string): Buffer {
  const labels = name.split(".").map((label) =>
    Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")
  );
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function quad(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** IPv6 with all of its groups. */
function groups(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, group] of address.split(":").entries()) {
    bytes.writeUInt16BE(parseInt(group, 16), 2 * index);
  }
  return bytes;
}
