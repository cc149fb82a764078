/** The addresses of this machine. */
import { networkInterfaces } from "node:os";

/** Milliseconds for which they are believed: to ask costs some 100 µs. */
const FRESH = 5000;

let known: ReadonlySet<string> = new Set();
let read = -Infinity;

/** See {@link Adapter.ownsAddress}. */
export function ownsAddress(host: string): boolean {
  if (host.startsWith("127.") || host === "::1") return true;
  const now = performance.now();
  if (now - read > FRESH) {
    read = now;
    known = readAddresses();
  }
  return known.has(withoutZone(host));
}

function readAddresses(): ReadonlySet<string> {
  try {
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    return new Set(all.map(({ address }) => withoutZone(address)));
  } catch {
    // Deno without the sys permission: the loopback addresses are known.
    return new Set();
  }
}

function withoutZone(host: string): string {
  return host.includes("%") ? host.slice(0, host.indexOf("%")) : host;
}
