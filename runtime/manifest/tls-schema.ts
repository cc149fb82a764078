/** `tls` of services, of their endpoints, and of `defaults`. */
import * as v from "valibot";
import { choice, duration, entry, strict } from "../values/fields.ts";

const FILE = "the path of a file of PEM";
const file = (expected: string) =>
  v.pipe(v.string(expected), v.regex(/^[^\0]+$/, expected), v.nonEmpty(expected));

const ENTRIES = {
  cert: entry(
    "the file of the certificate, PEM, and behind it those between it and its authority",
    () => file(FILE),
  ),
  key: entry("the file of its private key, PEM and not encrypted", () => file(FILE)),
  ocsp: entry(
    "the file of an OCSP response, DER, which is stapled to the certificate",
    () => file("the path of a file of DER"),
  ),
};

const PAIR = '{ "cert": "./server.crt", "key": "./server.key" }';
const certificate = strict(`an object, as ${PAIR}`, {
  cert: v.pipe(file(FILE), v.description("the file of the certificate, PEM")),
  key: v.pipe(file(FILE), v.description("the file of its private key, PEM and not encrypted")),
  ocsp: ENTRIES.ocsp,
});

const SELF_SIGNED = '"self-signed", which is for development';
const selfSigned = v.literal("self-signed", SELF_SIGNED);
const CERTIFICATES = `a list of certificates, as [${PAIR}], or ${SELF_SIGNED}`;

const ALPN = "the name of a protocol, 1 to 255 bytes: h2, http/1.1, smtp";
const alpn = v.pipe(
  v.string(ALPN),
  v.check((text) => text !== "" && new TextEncoder().encode(text).length <= 255, ALPN),
);

const CA = "the path of a file of PEM, or a list of these";
const TICKETS = 'a duration above 0, as "2h", or false';
const ms = duration(true, false);

const block = strict(`an object, as ${PAIR}, or ${SELF_SIGNED}`, {
  ...ENTRIES,
  certificates: entry(
    "several, each for the names that stand in it; or self-signed",
    () =>
      choice(CERTIFICATES, {
        string: selfSigned,
        array: v.pipe(v.array(certificate), v.minLength(1, CERTIFICATES)),
      }),
  ),
  folder: entry(
    "a folder with one for each name: NAME.crt or NAME.pem with NAME.key, or NAME/fullchain.pem with NAME/privkey.pem as certbot has it",
    () => file("the path of a folder"),
  ),
  default: entry(
    "the name whose certificate is for those who name no server, or one that is not here; that of the first one when silent",
    () => v.pipe(v.string("a name of a certificate"), v.nonEmpty("a name of a certificate")),
  ),
  alpn: entry(
    "application protocols, those first that are liked best; whoever offers only others is refused",
    () =>
      choice(`${ALPN}; or a list of these`, {
        string: alpn,
        array: v.array(alpn),
      }),
  ),
  clientCertificate: entry(
    "request: clients are asked for a certificate; require: they need one, of ca",
    () => v.picklist(["none", "request", "require"], '"none", "request" or "require"'),
  ),
  ca: entry(
    "files of the authorities that certificates of clients have to be from, PEM",
    () => choice(CA, { string: file(FILE), array: v.array(file(FILE)) }),
  ),
  minVersion: entry(
    "the least version of the protocol; TLSv1.2 when silent",
    () => v.picklist(["TLSv1.2", "TLSv1.3"], '"TLSv1.2" or "TLSv1.3"'),
  ),
  ciphers: entry(
    "as openssl-ciphers(1) has it; those of RFC 9325 when silent",
    () => v.pipe(v.string("a list of ciphers"), v.nonEmpty("a list of ciphers")),
  ),
  sessionTickets: entry(
    "how long a session may be resumed, with keys that are new so often; 2h when silent, false: never",
    () => choice(TICKETS, { string: ms, number: ms, boolean: v.literal(false, TICKETS) }),
  ),
});

const TLS = `an object, as ${PAIR}, or ${SELF_SIGNED}`;

/** Of a service, and of `defaults`. */
export const tls = choice(TLS, { string: selfSigned, object: block });

const OF_ENDPOINT = `true: as the service has it; ${TLS}`;

/** Of an endpoint. */
export const endpointTls = choice(OF_ENDPOINT, {
  string: selfSigned,
  object: block,
  boolean: v.literal(true, OF_ENDPOINT),
});

/** What a manifest says of TLS at one place. */
export type CheckedTls = v.InferOutput<typeof tls>;
/** What it says of that beside an endpoint. */
export type CheckedEndpointTls = v.InferOutput<typeof endpointTls>;
