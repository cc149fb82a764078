/**
 * What the core knows of TLS: a layer that turns a connection into a connection. An adapter makes a context of
 * certificates ({@link TlsEngine}); {@link Connection.secure} begins the handshake with one, and what is there from
 * then on is told as of any other connection.
 */
import type { Support } from "./contract.ts";
import type { TlsClient } from "./endpoint.ts";

/** A certificate and whom it is for. Everything is PEM; nothing of it is ever in a record, an error or a status. */
export interface TlsIdentity {
  /** The server's certificate, and those between it and its authority behind it. */
  readonly cert: string;
  readonly key: string;
  /** In lower case, `*.example.org` too; those of the certificate. */
  readonly names: readonly string[];
  /** An OCSP response in DER, which is stapled to the certificate: RFC 6066, 8. */
  readonly ocsp?: Uint8Array | undefined;
}

/** Versions that a server may be told to begin with. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** What a server of TLS is made of. */
export interface TlsServerOptions {
  /** The first one is for those who name no server, or one that nobody here is. Never empty. */
  readonly identities: readonly TlsIdentity[];
  /** Application protocols in the order of our liking, RFC 7301; who offers only others gets an alert. None when empty. */
  readonly alpn: readonly string[];
  /** Whether clients are asked for a certificate, and whether they need one. */
  readonly client: "none" | "request" | "require";
  /** PEM: whom certificates of clients have to be from. */
  readonly ca: readonly string[];
  readonly minVersion: TlsVersion;
  /** As openssl-ciphers(1) has it; those of TLS 1.3 and what RFC 9325 recommends of 1.2 when silent. */
  readonly ciphers?: string | undefined;
  /** Seconds for which a session may be resumed; 0: never; the context's own when silent. */
  readonly sessionTimeout?: number | undefined;
  /** 48 bytes, the same for all workers and servers that resume each other's sessions; the context's own when silent. */
  readonly ticketKeys?: Uint8Array | undefined;
  /** What they were before: its tickets are still taken, where {@link TlsFeatures.formerTickets} is. */
  readonly formerTicketKeys?: Uint8Array | undefined;
}

/** Of {@link TlsServerOptions}, what not every runtime can do. */
export interface TlsFeatures {
  /**
   * Sessions are resumed across contexts that have the same `ticketKeys`: by other workers, and after an update.
   * Where it is not so, they are by the context that has made them, as long as its certificate is the same.
   */
  readonly sharedTickets: Support;
  /** Tickets of `formerTicketKeys` are taken, too. */
  readonly formerTickets: Support;
  /** `sessionTimeout` is kept to. */
  readonly sessionTimeout: Support;
  /** `ocsp` is stapled. */
  readonly stapling: Support;
  /** `ciphers` is kept to. */
  readonly ciphers: Support;
  /** Who speaks plain HTTP at `https` reads so, as an answer with status 400. */
  readonly plainHttp: Support;
}

/** A side of TLS as an adapter has made it. Opaque to the core. */
export interface TlsContext {
  readonly side: "server" | "client";
}

/** That of a server. Sessions that have begun keep what they have. */
export interface TlsServerContext extends TlsContext {
  readonly side: "server";
  /** From the next handshake on. @throws PorticoError TLS_INVALID; nothing has changed then. */
  update(options: TlsServerOptions): void;
}

/** Makes contexts. */
export interface TlsEngine {
  /** @throws PorticoError TLS_INVALID: a key that is not that of its certificate, what is no PEM, an unknown cipher. */
  server(options: TlsServerOptions): TlsServerContext;
  /**
   * For {@link Connection.secure} of a connection that we have opened: STARTTLS.
   *
   * @param name of the server, where the options say none.
   * @throws PorticoError likewise.
   */
  client(options: TlsClient, name: string): TlsContext;
}

/** The certificate that a peer has shown. */
export interface PeerCertificate {
  /** `CN=alice,O=Example`, RFC 4514, the most specific part first. */
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:a.example.org`, `IP:192.0.2.1`, `email:…`, `URI:…`. */
  readonly subjectAltNames: readonly string[];
  /** SHA-256 of the certificate: 64 digits in lower case, without colons. */
  readonly fingerprint: string;
  /** In lower case, hexadecimal. */
  readonly serialNumber: string;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** What a handshake has come to: `session.tls`. */
export interface TlsInfo {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly version: string;
  /** The name of IANA: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** What the client has called us (SNI), in lower case. Of a connection of ours: whom we have asked for. */
  readonly serverName?: string;
  /** The application protocol that both have agreed on. */
  readonly alpn?: string;
  /** The session was one that had been before: no certificate was sent anew. */
  readonly resumed: boolean;
  /** Absent where it has shown none. */
  readonly peer?: PeerCertificate;
  /** Whether the peer's certificate is from somebody who is trusted; false where it has shown none. */
  readonly authorized: boolean;
}
