/** Why a handshake has come to nothing: the same words whatever library a runtime has (OpenSSL, BoringSSL, rustls). */
import { codeOf, messageOf, PorticoError } from "../../runtime/core/errors.ts";

const PLAIN_HTTP = "does not speak TLS, but plain HTTP";

/** Whether the library knows that it was a request in clear. Deno's does not tell it from other things. */
export function isPlainHttp({ message }: PorticoError): boolean {
  return message.endsWith(PLAIN_HTTP);
}

/** By what a message or a code says; the first that fits. `%` is the other side. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/HTTP_REQUEST|HTTPS_PROXY_REQUEST/, `% ${PLAIN_HTTP}`],
  [
    /NO_APPLICATION_PROTOCOL|any known protocol/,
    "no application protocol (ALPN) is common to both",
  ],
  [
    /UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|ALERT_PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|SupportedVersions|Tls1\dNot|ProtocolVersion$/,
    "no version of TLS is common to both",
  ],
  [
    /NO_SHARED_|no shared|InCommon|NoCipherSuites|NoKxGroups/,
    "no cipher, group or signature is common to both",
  ],
  [/DID_NOT_RETURN_A_CERTIFICATE|sent no certificates/, "% has shown no certificate"],
  [
    /WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|UNEXPECTED_MESSAGE|(DATA|ENCRYPTED|PACKET)_LENGTH_TOO_LONG|NOT_SSL_RECORD|corrupt message|inappropriate/,
    "% does not speak TLS",
  ],
  [/ALERT_UNKNOWN_CA|alert: UnknownCA/, "% does not know the authority of our certificate"],
  [
    /ALERT_CERTIFICATE_EXPIRED|alert: CertificateExpired/,
    "% says that our certificate has expired",
  ],
  [
    /ALERT_(BAD|UNSUPPORTED)_CERTIFICATE|ALERT_CERTIFICATE_(UNKNOWN|REVOKED)|alert: (Bad|Unsupported)Certificate|alert: Certificate/,
    "% does not accept our certificate",
  ],
  [/CERTIFICATE_REQUIRED|alert: CertificateRequired/, "% wants a certificate of ours"],
  [/CERT_HAS_EXPIRED|: Expired/, "the certificate of % has expired"],
  [/CERT_NOT_YET_VALID|NotValidYet/, "the certificate of % is not valid yet"],
  [/UNABLE_TO_|SELF_SIGNED|UnknownIssuer/, "the certificate of % is of nobody who is trusted"],
  // Deno's word for whatever else does not fit.
  [/HANDSHAKE_FAILURE/, "no cipher, group or signature is common to both"],
];

/**
 * Of a handshake.
 *
 * @param error what the runtime said; undefined when it has only closed.
 * @param other whom we speak with: `the client` or `the server`.
 */
export function handshakeFailure(error: unknown, other: string): PorticoError {
  const closed = error === undefined || /before secure|socket hang up/.test(messageOf(error));
  if (!closed) return failure("the TLS handshake failed: ", error, other);
  const text = `the TLS handshake failed: ${other} closed the connection`;
  return new PorticoError("TLS_FAILED", text, {
    side: "peer",
    ...(error !== undefined && { cause: error }),
  });
}

/** After it. */
export function recordFailure(error: unknown, other: string): PorticoError {
  return failure("TLS failed: ", error, other);
}

function failure(prefix: string, error: unknown, other: string): PorticoError {
  const said = messageOf(error);
  const known = codeOf(error);
  if (known !== undefined) return new PorticoError(known, said, { cause: error, side: "peer" });
  const code = String((Object(error) as { code?: unknown }).code ?? "");
  // The message first: a code may be one for many.
  const found = REASONS.find(([sign]) => sign.test(said) || sign.test(code));
  const why = found === undefined ? plain(said, code) : found[1].replace("%", other);
  return new PorticoError("TLS_FAILED", prefix + why, { cause: error, side: "peer" });
}

/** `4093EF:error:0A0000EB:SSL routines:tls_handle_alpn:no application protocol:../ssl/x.c:2304:` comes to its reason. */
function plain(said: string, code: string): string {
  const parts = said.split(":");
  const at = parts.indexOf("error");
  if (at >= 0) return parts[at + 4]?.replaceAll("_", " ").toLowerCase() ?? said;
  return said === "[object Object]" || said.startsWith("threw ") ? code : said;
}
