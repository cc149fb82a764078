/**
 * Headers of the PROXY protocol beside another implementation, proxy-protocol-js: what is written here is read there,
 * and the reverse. `PORTICO_HEADERS=1000000` makes as many, half of them each way.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  Command,
  INETProtocol,
  IPv4Address,
  type IPv4AddressTuple,
  IPv4ProxyAddress,
  IPv6Address,
  type IPv6AddressTuple,
  IPv6ProxyAddress,
  Peer,
  TransportProtocol,
  UnixAddress,
  type UnixAddressTuple,
  UnixProxyAddress,
  UnspecProxyAddress,
  V1BinaryProxyProtocol,
  V2ProxyProtocol,
} from "proxy-protocol-js";
import { Address, type Transport } from "../../runtime/core/endpoint.ts";
import { type ProxyHeader, readProxyHeader } from "../../runtime/core/prologue/proxy-header.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";

const HEADERS = Number(process.env["PORTICO_HEADERS"] ?? 20_000);
const SEED = Number(process.env["PORTICO_SEED"] ?? Date.now() % 0xffffffff);

/** Mulberry32: every run has its own numbers, and a failure says which. */
let state = SEED;
function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

const bytesOf = (count: number): number[] => Array.from({ length: count }, () => random(256));

/** Many zeros, as addresses have. */
function ip(family: 4 | 6): number[] {
  if (family === 4) return bytesOf(4);
  const bytes = bytesOf(16);
  for (let word = 0; word < 8; word++) {
    if (random(3) === 0) bytes[2 * word] = bytes[2 * word + 1] = 0;
  }
  if (random(20) === 0) bytes.splice(0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255);
  return bytes;
}

const mapped = (bytes: number[]): boolean =>
  bytes.length === 16 && bytes.slice(0, 12).join() === "0,0,0,0,0,0,0,0,0,0,255,255";

/** As an address is written: each group of its own, in either case, as many do it. */
function written(bytes: number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes[2 * at]! << 8 | bytes[2 * at + 1]!);
  const text = groups.map((group) => group.toString(16)).join(":");
  const form = random(3);
  return form === 0 ? text : form === 1 ? text.toUpperCase() : canonical(bytes);
}

/** RFC 5952, by the URLs of WHATWG. */
function canonical(bytes: number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  if (mapped(bytes)) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes[2 * at]! << 8 | bytes[2 * at + 1]!);
  const text = groups.map((group) => group.toString(16)).join(":");
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

/** A path of sun_path, in ASCII: named, abstract or none. */
function path(): string {
  const name = String.fromCharCode(...Array.from({ length: random(60) }, () => 97 + random(26)));
  return ["", `/${name}`, `@a${name}`][random(3)]!;
}

const sunPath = (text: string): number[] => {
  const bytes = [...new TextEncoder().encode(text)];
  if (bytes[0] === 64) bytes[0] = 0;
  return [...bytes, ...new Array<number>(108 - bytes.length).fill(0)];
};

const rest = (): Uint8Array => Uint8Array.from(bytesOf(random(24)));

/** Ours is read by theirs. */
function forth(): void {
  const family = random(2) === 0 ? 4 : 6;
  const [from, to] = [ip(family), ip(family)];
  const ports = [random(65536), random(65536)] as const;
  if (random(3) === 0) {
    // Neither knows what the other means by an address of IPv4 among those of IPv6.
    if (mapped(from) || mapped(to)) return;
    const bytes = writeProxyVersion1(
      new Address("tcp", written(from), ports[0], ""),
      new Address("tcp", written(to), ports[1], ""),
    );
    const found = V1BinaryProxyProtocol.parse(bytes);
    assert.equal(found.inetProtocol, family === 4 ? INETProtocol.TCP4 : INETProtocol.TCP6);
    assert.deepEqual({ ...found.source }, { ipAddress: canonical(from), port: ports[0] });
    assert.deepEqual({ ...found.destination }, { ipAddress: canonical(to), port: ports[1] });
    return;
  }
  const stream = random(2) === 0;
  if (random(8) === 0) {
    const transport = stream ? "unix" : "unixgram";
    const [source, destination] = [path(), path()];
    const bytes = writeProxyVersion2(
      new Address(transport, "", 0, source),
      new Address(transport, "", 0, destination),
    );
    const found = V2ProxyProtocol.parse(bytes);
    const address = found.proxyAddress as UnixProxyAddress;
    assert.equal(
      found.transportProtocol,
      stream ? TransportProtocol.STREAM : TransportProtocol.DGRAM,
    );
    assert.deepEqual(address.sourceAddress.address, sunPath(source));
    assert.deepEqual(address.destinationAddress.address, sunPath(destination));
    return;
  }
  const transport = stream ? "tcp" : "udp";
  const local = random(16) === 0;
  const bytes = local ? writeProxyVersion2(undefined, undefined) : writeProxyVersion2(
    new Address(transport, written(from), ports[0], ""),
    new Address(transport, written(to), ports[1], ""),
    random(2) === 0 ? {} : { authority: "a.example", uniqueId: "00ff" },
    random(2) === 0,
  );
  const found = V2ProxyProtocol.parse(bytes);
  assert.equal(found.command, local ? Command.LOCAL : Command.PROXY);
  if (local) return;
  assert.equal(
    found.transportProtocol,
    stream ? TransportProtocol.STREAM : TransportProtocol.DGRAM,
  );
  const address = found.proxyAddress as IPv6ProxyAddress;
  assert.deepEqual([address.sourcePort, address.destinationPort], ports);
  // A mapped address beside another one of IPv6 is written as it came.
  const both = mapped(from) && mapped(to);
  const plain = (ip: number[]): number[] => both ? ip.slice(12) : ip;
  assert.deepEqual(address.sourceAddress.address, plain(from));
  assert.deepEqual(address.destinationAddress.address, plain(to));
}

function check(
  whole: Uint8Array,
  header: object,
  from: string,
  to: string,
  data: Uint8Array,
): void {
  const found = readProxyHeader(whole) as ProxyHeader;
  assert.deepEqual(whole.subarray(found.length), data);
  const { remote, local } = found;
  assert.deepEqual({ version: found.version, from: String(remote), to: String(local) }, {
    ...header,
    from,
    to,
  });
}

/** Theirs is read here. */
function back(): void {
  const family = random(2) === 0 ? 4 : 6;
  const [from, to] = [ip(family), ip(family)];
  const ports = [random(65536), random(65536)] as const;
  const data = rest();
  const text = (transport: Transport, bytes: number[], port: number): string =>
    String(new Address(transport, canonical(bytes), port, ""));
  if (random(3) === 0) {
    const protocol = family === 4 ? INETProtocol.TCP4 : INETProtocol.TCP6;
    const [source, destination] = [
      new Peer(written(from), ports[0]),
      new Peer(written(to), ports[1]),
    ];
    // It would be one of IPv4 in the place of one of IPv6.
    if (!source.ipAddress.includes(":") || !destination.ipAddress.includes(":")) {
      if (family === 6) return;
    }
    const whole = new V1BinaryProxyProtocol(protocol, source, destination, data).build();
    const [remote, local] = [text("tcp", from, ports[0]), text("tcp", to, ports[1])];
    return check(new Uint8Array(whole), { version: 1 }, remote, local, data);
  }
  const stream = random(2) === 0;
  const kind = stream ? TransportProtocol.STREAM : TransportProtocol.DGRAM;
  const version = { version: 2 };
  if (random(8) === 0) {
    const [source, destination] = [path(), path()];
    const address = new UnixProxyAddress(
      new UnixAddress(sunPath(source) as UnixAddressTuple),
      new UnixAddress(sunPath(destination) as UnixAddressTuple),
    );
    const whole = new V2ProxyProtocol(Command.PROXY, kind, address, data).build();
    const transport = stream ? "unix" : "unixgram";
    return check(whole, version, `${transport}:${source}`, `${transport}:${destination}`, data);
  }
  if (random(16) === 0) {
    const nobody = new UnspecProxyAddress();
    const whole = new V2ProxyProtocol(Command.LOCAL, TransportProtocol.UNSPEC, nobody, data)
      .build();
    return check(whole, version, "undefined", "undefined", data);
  }
  const address = family === 4
    ? new IPv4ProxyAddress(
      new IPv4Address(from as IPv4AddressTuple),
      ports[0],
      new IPv4Address(to as IPv4AddressTuple),
      ports[1],
    )
    : new IPv6ProxyAddress(
      new IPv6Address(from as IPv6AddressTuple),
      ports[0],
      new IPv6Address(to as IPv6AddressTuple),
      ports[1],
    );
  const whole = new V2ProxyProtocol(Command.PROXY, kind, address, data).build();
  const transport = stream ? "tcp" : "udp";
  check(whole, version, text(transport, from, ports[0]), text(transport, to, ports[1]), data);
}

for (
  const [name, one] of [["what is written is read", forth], [
    "what it writes is read here",
    back,
  ]] as const
) {
  test(`beside proxy-protocol-js: ${name}, ${HEADERS / 2} headers`, () => {
    const from = state;
    for (let count = 0; count < HEADERS / 2; count++) {
      try {
        one();
      } catch (error) {
        const { message } = error as Error;
        throw new Error(`header ${count} of seed ${from}: ${message}`, { cause: error });
      }
    }
  });
}
