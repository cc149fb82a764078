/** The receiving half of Deno's datagram sockets: one loop for each, over `receive()`. */
import { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { fromKernelPath, udpAddress } from "../addresses.ts";
import { truncated } from "../datagram.ts";
import { receiveFailure } from "../errno.ts";
import { AddressCache } from "../posix/address-cache.ts";
import { type AddressInterner, encode, type EncodedAddress, UNNAMED } from "../posix/sockaddr.ts";

/** What the loop tells. */
export interface Receiver {
  /** The largest datagram, in bytes. */
  readonly size: number;
  /** The address of a sender. */
  sender(from: Deno.Addr): Address;
  /** Delivers a datagram. `bytes` is lent until it returns. */
  deliver(bytes: Uint8Array, from: Address): void;
  fail(error: PorticoError): void;
}

/** Buffers cut from one piece of memory: large pieces become real only where they are written to. */
const PIECE = 16;
const spare = new Map<number, Uint8Array<ArrayBuffer>[]>();

/** A buffer that a pending `receive()` holds; several of them may be filled in one turn. */
function take(size: number): Uint8Array<ArrayBuffer> {
  let free = spare.get(size);
  if (free === undefined) spare.set(size, free = []);
  for (;;) {
    if (free.length === 0) {
      const piece = new ArrayBuffer(PIECE * size);
      for (let i = 0; i < PIECE; i++) free.push(new Uint8Array(piece, i * size, size));
    }
    const buffer = free.pop()!;
    // A callback that transferred what it was lent has taken the whole piece with it.
    if (buffer.length > 0) return buffer;
  }
}

/** Receives until the connection is closed. */
export async function receiveLoop(
  connection: Deno.DatagramConn,
  receiver: Receiver,
): Promise<void> {
  // One byte more than the largest datagram: Deno cuts what does not fit without a sign.
  let buffer = take(receiver.size + 1);
  for (;;) {
    try {
      const [bytes, addr] = await connection.receive(buffer);
      const from = receiver.sender(addr);
      if (bytes.length > receiver.size) receiver.fail(truncated(from, receiver.size));
      else receiver.deliver(bytes, from);
      if (buffer.length === 0) buffer = take(receiver.size + 1);
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        spare.get(buffer.length)?.push(buffer);
        return;
      }
      receiver.fail(receiveFailure(error));
    }
  }
}

/** From Deno's addresses to interned ones with their sockaddr. */
export function encodedAddressReader(
  family: number,
  peers: AddressInterner,
): (from: Deno.Addr) => EncodedAddress {
  return addressReader((address) => {
    const made = encode(address, family);
    if (made === undefined) return UNNAMED;
    const bytes = new Uint8Array(made.words.buffer);
    return peers.find(made.words, bytes, 0, made.size);
  }, UNNAMED);
}

/** From Deno's addresses to interned ones of ours. */
export function addressReader<A extends Address>(
  make: (address: Address) => A,
  unnamed: A,
): (from: Deno.Addr) => A {
  const internet = new AddressCache((host, port) => make(udpAddress(host, port)));
  const unix = new AddressCache((path) =>
    make(new Address("unixgram", "", 0, fromKernelPath(path)))
  );
  return (from) => {
    if ("hostname" in from) return internet.find(from.hostname, from.port);
    // The path of a sender that never was bound is null or empty.
    const { path } = from as Deno.UnixAddr;
    return path ? unix.find(path, 0) : unnamed;
  };
}
