/** What of TLS a runtime's `node:tls` lacks, by itself; measured, and held by the tests. */
import type { Lack } from "../../runtime/core/contract.ts";
import type { TlsFeatures } from "../../runtime/core/tls.ts";
import { takesFormer } from "./former-tickets.ts";

const [name, library] = "Bun" in globalThis
  ? ["Bun", "BoringSSL"]
  : "Deno" in globalThis
  ? ["Deno", "rustls"]
  : ["Node", "OpenSSL"];

const OWN_TICKETS: Lack = {
  reason: `${name}'s node:tls makes its own ticket keys, whatever it is given`,
  remedy: "none is needed: another worker makes a full handshake",
};

const ONE_KEY: Lack = {
  reason:
    `${name}'s node:tls takes no ticket of the key before the one in use: keys are new with each sessionTickets, and sessions are resumed until then`,
  remedy: "none is needed: whoever comes later makes a full handshake",
};

const UNSTAPLED: Lack = {
  reason: `${name}'s node:tls staples no OCSP response`,
  remedy: "run it on Node, or leave ocsp out",
};

const OWN_CIPHERS: Lack = {
  reason:
    `${name}'s TLS is that of ${library}, whose ciphers cannot be chosen; there is no weak one`,
  remedy: "leave ciphers out",
};

const OWN_TIME: Lack = {
  reason: `${name}'s node:tls lets sessions be resumed for 12 hours, whatever it is told`,
  remedy: "leave sessionTickets out, or run it on Node or Bun",
};

const UNANSWERED: Lack = {
  reason: name === "Bun"
    ? "below a TLSSocket of Bun's nothing can be written"
    : "Deno's TLS tells no plain HTTP from other things that are no TLS",
  remedy: "none is needed: the connection is closed, and a record says why",
};

/** Nothing is loaded for it. */
export const TLS_FEATURES: TlsFeatures = {
  sharedTickets: name === "Node" ? true : OWN_TICKETS,
  formerTickets: takesFormer() ? true : ONE_KEY,
  sessionTimeout: name === "Deno" ? OWN_TIME : true,
  stapling: name === "Node" ? true : UNSTAPLED,
  ciphers: name === "Deno" ? OWN_CIPHERS : true,
  plainHttp: name === "Node" ? true : UNANSWERED,
};
