/** `tls` of a manifest, as types: those of `tls-schema.ts`. */
import type { TlsVersion } from "../core/tls.ts";
import type { Duration } from "../core/units.ts";

/** How TLS is spoken; `self-signed` is a certificate for development, made at the start. */
export type ManifestTlsWord = "self-signed";

/** A certificate and its key: files of PEM, from the manifest's folder on. */
export interface ManifestCertificate {
  /** The server's certificate, and those between it and its authority behind it. */
  cert: string;
  key: string;
  /** An OCSP response in DER, which is stapled to it. */
  ocsp?: string | undefined;
}

/** How TLS is spoken. Certificates of a service take the place of those of `defaults`; the rest is merged. */
export interface ManifestTls {
  cert?: string | undefined;
  key?: string | undefined;
  ocsp?: string | undefined;
  /** Several; each is for the names that stand in it. */
  certificates?: ManifestTlsWord | ManifestCertificate[] | undefined;
  /** A folder with one for each name: NAME.crt or NAME.pem with NAME.key, or NAME/fullchain.pem with NAME/privkey.pem. */
  folder?: string | undefined;
  /** Whose certificate is for those who name no server, or one that is not here; the first one when silent. */
  default?: string | undefined;
  /** Application protocols, the ones that are liked best first. */
  alpn?: string | string[] | undefined;
  /** Whether clients are asked for a certificate, and whether they need one; `none` when silent. */
  clientCertificate?: "none" | "request" | "require" | undefined;
  /** Files of PEM: the authorities that certificates of clients have to be from. */
  ca?: string | string[] | undefined;
  /** `TLSv1.2` when silent. */
  minVersion?: TlsVersion | undefined;
  /** As openssl-ciphers(1) has it; those of RFC 9325 when silent. */
  ciphers?: string | undefined;
  /** How long a session may be resumed; `2h` when silent, false: never. */
  sessionTickets?: Duration | false | undefined;
}
