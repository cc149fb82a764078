/** Contexts of `node:tls`, which all three runtimes have: what is native on Bun and Deno lacks SNI, or clients' certificates. */
import { createHash, createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { EventEmitter } from "node:events";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { Buffer } from "node:buffer";
import {
  connect,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  TLSSocket,
  type TLSSocketOptions,
} from "node:tls";
import type { Connection } from "../../runtime/core/contract.ts";
import type { TlsClient } from "../../runtime/core/endpoint.ts";
import { messageOf, PorticoError } from "../../runtime/core/errors.ts";
import type { TlsIdentity, TlsServerContext, TlsServerOptions } from "../../runtime/core/tls.ts";
import type { Layer } from "../layer.ts";
import { begin, over } from "./connection.ts";
import { TLS_FEATURES } from "./features.ts";
import { takeFormer } from "./former-tickets.ts";
import { Names } from "./names.ts";
import { withPause } from "./pausing.ts";

/** A context as the connections of all runtimes see it. */
export interface SocketContext extends Layer {
  /** What the handshake is done with that begins here: it is over with the event {@link done}. */
  wrap(stream: Duplex): TLSSocket;
  readonly done: "secure" | "secureConnect";
  /** Whom we speak with. */
  readonly other: string;
  /** Of a client: whom it asks for. */
  readonly serverName?: string | undefined;
  /** Whether the other side is asked for a certificate; whether it has to show that it is trusted. */
  readonly asks: boolean;
  readonly strict: boolean;
}

/** SSL_OP_NO_RENEGOTIATION of OpenSSL; the other libraries know no renegotiation by the client. */
const NO_RENEGOTIATION = 1 << 30;
/** SSL_OP_NO_TICKET, and its like in BoringSSL. Deno knows neither this nor a time: its tickets are good for 12 h. */
const NO_TICKET = 1 << 14;

/** See {@link TlsEngine.server}. */
export class ServerContext implements TlsServerContext, SocketContext {
  readonly side = "server";
  readonly done = "secure";
  readonly other = "the client";
  asks = false;
  strict = false;
  /** Another object after an update. */
  settings: TLSSocketOptions = {};
  #ticketKeys: Uint8Array | undefined;
  /** Those in use, by what they are made of: what has not changed goes on, with the tickets it has given out. */
  #contexts: ReadonlyMap<string, SecureContext> = new Map();

  constructor(options: TlsServerOptions) {
    this.update(options);
  }

  update(options: TlsServerOptions): void {
    const keys = options.ticketKeys ?? this.#ticketKeys ?? randomBytes(48);
    const contexts = new Map<string, SecureContext>();
    const settings = settingsOf(options, (identity) => {
      const words = contextOptions(identity, options, keys);
      const former = options.formerTicketKeys;
      const made = createHash("sha256").update(JSON.stringify([words, former])).digest("base64");
      const context = this.#contexts.get(made) ?? makeContext(identity, words);
      if (former !== undefined) takeFormer(context, keys, former);
      contexts.set(made, context);
      return context;
    });
    this.#contexts = contexts;
    this.#ticketKeys = keys;
    this.settings = settings;
    this.asks = options.client !== "none";
    this.strict = options.client === "require";
  }

  wrap(stream: Duplex): TLSSocket {
    return withPause(new TLSSocket(stream, this.settings));
  }

  begin(...words: Parameters<Layer["begin"]>): Connection {
    return begin(this, ...words);
  }

  over(...words: Parameters<Layer["over"]>): Connection {
    return over(this, ...words);
  }
}

function settingsOf(
  options: TlsServerOptions,
  contextOf: (identity: TlsIdentity) => SecureContext,
): TLSSocketOptions {
  const { identities, alpn, client } = options;
  const names = new Names<SecureContext>();
  let first: SecureContext | undefined;
  for (const identity of identities) {
    const made = contextOf(identity);
    first ??= made;
    for (const name of identity.names) names.add(name, made);
  }
  if (first === undefined) throw invalid("there is no certificate");
  const main = first;
  const server = stapler(identities);
  return {
    isServer: true,
    secureContext: main,
    requestCert: client !== "none",
    rejectUnauthorized: client === "require",
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    ...(identities.length > 1 && {
      SNICallback(name, callback) {
        callback(null, names.find(name) ?? main);
      },
    }),
    ...(server !== undefined && { server }),
  };
}

/** What there is of TLS 1.3. */
const SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
/** Of TLS 1.2 those that RFC 9325, 4.2 recommends: with forward secrecy, and what is sent is authenticated (AEAD). */
const RECOMMENDED = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].flatMap((
  name,
) => [
  `ECDHE-ECDSA-${name}`,
  `ECDHE-RSA-${name}`,
]);

/** A list without suites of TLS 1.3 is about TLS 1.2: Node would take it as a word against TLS 1.3. */
function ciphersOf(said: string | undefined): string {
  if (said === undefined) return [...SUITES, ...RECOMMENDED].join(":");
  if (said.includes("TLS_") || TLS_FEATURES.ciphers !== true) return said;
  return [...SUITES, said].join(":");
}

/** What a context is made of. */
function contextOptions(
  { cert, key }: TlsIdentity,
  { ca, minVersion, ciphers, client, sessionTimeout }: TlsServerOptions,
  ticketKeys: Uint8Array,
): SecureContextOptions {
  return {
    cert,
    key,
    // Without any, those of the runtime would be loaded.
    ca: [...ca],
    minVersion,
    ciphers: ciphersOf(ciphers),
    honorCipherOrder: true,
    secureOptions: sessionTimeout === 0 ? NO_RENEGOTIATION | NO_TICKET : NO_RENEGOTIATION,
    ...(sessionTimeout !== undefined && sessionTimeout > 0 && { sessionTimeout }),
    ticketKeys: ticketKeys as Buffer,
    // Who has shown a certificate to one of our servers has not to another that trusts others.
    sessionIdContext: createHash("sha256").update(JSON.stringify([client, ca])).digest("hex")
      .slice(0, 32),
  };
}

/** @throws PorticoError TLS_INVALID that names the identity, and nothing of what is in it. */
function makeContext(
  { cert, key, names }: TlsIdentity,
  options: SecureContextOptions,
): SecureContext {
  const whose = names.length === 0 ? "the server" : names.join(", ");
  checkPair(cert, key, whose);
  for (const authority of options.ca as readonly string[]) checkAuthority(authority);
  try {
    return createSecureContext(options);
  } catch (error) {
    throw invalid(`the certificate of ${whose} cannot be used: ${plainly(error)}`, error);
  }
}

/** @throws PorticoError TLS_INVALID. Some runtimes take anything for authorities, and trust nobody then. */
function checkAuthority(pem: string): void {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates === null) {
    throw invalid("there is no certificate in PEM among those of authorities");
  }
  for (const certificate of certificates) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw invalid("the certificate of an authority is none", error);
    }
  }
}

/** An error of OpenSSL has no more than a reason for people; anything else might be of what was given. */
function plainly(error: unknown): string {
  const { reason, code } = Object(error) as { reason?: unknown; code?: unknown };
  const said = messageOf(error);
  if (/cipher/i.test(said)) return "no such cipher";
  return typeof reason === "string" ? reason : typeof code === "string" ? code : "it is refused";
}

/** @throws PorticoError TLS_INVALID. Deno says nothing of a key that does not belong to its certificate. */
export function checkPair(cert: string, key: string, whose: string): void {
  let certificate: X509Certificate;
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    throw invalid(`the certificate of ${whose} is no certificate in PEM`, error);
  }
  try {
    privateKey = createPrivateKey(key);
  } catch (error) {
    const locked = /ENCRYPTED/.test(key);
    throw invalid(
      `the key of ${whose} is ${locked ? "locked by a passphrase" : "no private key in PEM"}`,
      locked ? undefined : error,
    );
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw invalid(`the key of ${whose} is not that of its certificate`);
  }
}

/** What `node:tls` asks for the OCSP response of a certificate, in the place of a server; undefined when nobody has any. */
function stapler(identities: readonly TlsIdentity[]): Server | undefined {
  const responses = new Map<string, Uint8Array>();
  for (const { cert, ocsp } of identities) {
    if (ocsp !== undefined) responses.set(new X509Certificate(cert).raw.toString("latin1"), ocsp);
  }
  if (responses.size === 0) return undefined;
  return new EventEmitter().on("OCSPRequest", (
    certificate: Buffer | null,
    _issuer: unknown,
    callback: (error: null, response: Uint8Array | null) => void,
  ) => callback(null, responses.get(certificate?.toString("latin1") ?? "") ?? null)) as Server;
}

/** See {@link TlsEngine.client}. */
export class ClientContext implements SocketContext {
  readonly side = "client";
  readonly done = "secureConnect";
  readonly other = "the server";
  readonly asks = true;
  readonly strict: boolean;
  readonly serverName: string;
  readonly #settings: Parameters<typeof connect>[0];

  /** @throws PorticoError TLS_INVALID. */
  constructor(options: TlsClient, name: string) {
    const { ca, cert, key, serverName = name, alpn = [], rejectUnauthorized = true } = options;
    if (cert !== undefined && key !== undefined) checkPair(cert, key, "this client");
    if (ca !== undefined) checkAuthority(ca);
    this.strict = rejectUnauthorized;
    this.serverName = serverName;
    try {
      const secureContext = createSecureContext({
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      });
      this.#settings = {
        secureContext,
        host: serverName,
        rejectUnauthorized,
        ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
        // RFC 6066 knows no addresses as names of servers.
        ...(isIP(serverName) === 0 && { servername: serverName }),
      };
    } catch (error) {
      throw invalid(`what this client brings along cannot be used: ${plainly(error)}`, error);
    }
  }

  wrap(stream: Duplex): TLSSocket {
    return withPause(connect({ ...this.#settings, socket: stream }));
  }

  begin(...words: Parameters<Layer["begin"]>): Connection {
    return begin(this, ...words);
  }

  over(...words: Parameters<Layer["over"]>): Connection {
    return over(this, ...words);
  }
}

function invalid(text: string, cause?: unknown): PorticoError {
  return new PorticoError("TLS_INVALID", text, cause === undefined ? {} : { cause });
}
