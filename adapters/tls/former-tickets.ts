/**
 * Tickets of the key before the one in use are still taken, and replaced by new ones. `node:tls` has room for one key
 * (`ticketKeys` are 48 bytes, no more). Below it Node has had a callback of OpenSSL's for long, which no document
 * names; a wrong answer would end the process. So it is used on versions alone that have been tried, and once there is
 * a former key.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import type { SecureContext } from "node:tls";

/** The versions of Node that have been tried, by their first numbers. */
const TRIED = [24, 25, 26] as const;

/** Whether that can be done here. */
export function takesFormer(): boolean {
  if ("Bun" in globalThis || "Deno" in globalThis) return false;
  return (TRIED as readonly number[]).includes(Number.parseInt(process.versions.node, 10));
}

/** What is below a context of Node's. */
interface Handle {
  onticketkeycallback?: (name: Buffer, iv: Buffer, sealing: boolean) => unknown[];
  enableTicketKeyCallback?: () => void;
}

/** The parts of a key as `ticketKeys` has it: its name, and what is for HMAC and for AES. */
interface Key {
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

function partsOf(key: Uint8Array): Key {
  const at = (start: number): Buffer => Buffer.from(key.slice(start, start + 16));
  return { name: at(0), hmac: at(16), aes: at(32) };
}

// As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it.
const [UNKNOWN, GOOD, RENEW] = [0, 1, 2];

/** Has a context take tickets of both keys. */
export function takeFormer(context: SecureContext, key: Uint8Array, former: Uint8Array): void {
  if (!takesFormer()) return;
  const handle = context.context as Handle;
  if (typeof handle.enableTicketKeyCallback !== "function") return;
  const [now, before] = [partsOf(key), partsOf(former)];
  handle.onticketkeycallback = (name, _iv, sealing) => {
    if (sealing) return [GOOD, now.hmac, now.aes, now.name, randomBytes(16)];
    if (now.name.equals(name)) return [GOOD, now.hmac, now.aes];
    // A full handshake follows where it is unknown; what stands behind is looked at none the less.
    return [before.name.equals(name) ? RENEW : UNKNOWN, before.hmac, before.aes];
  };
  handle.enableTicketKeyCallback();
}
