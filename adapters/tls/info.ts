/** What a handshake has come to, as `node:tls` tells it. */
import type { X509Certificate } from "node:crypto";
import type { PeerCertificate, TlsInfo } from "../../runtime/core/tls.ts";
import { certificateNames } from "./certificate-names.ts";

/** What a socket tells that has done a handshake. */
export interface Handshaken {
  /** Of a server: the name that it was asked for. */
  readonly servername?: unknown;
  readonly alpnProtocol: string | false | null;
  getCipher(): { readonly name: string; readonly standardName?: string };
  getProtocol(): string | null;
  isSessionReused(): boolean;
  getPeerX509Certificate(): X509Certificate | undefined;
}

/**
 * Of a socket whose handshake is done.
 *
 * @param serverName of a connection of ours: whom we have asked for.
 */
export function infoOf(socket: Handshaken, authorized: boolean, serverName?: string): TlsInfo {
  const { standardName, name } = socket.getCipher();
  const asked = serverName ?? socket.servername;
  const { alpnProtocol } = socket;
  const peer = peerOf(socket.getPeerX509Certificate());
  return {
    version: socket.getProtocol() ?? "unknown",
    cipher: standardName ?? name,
    ...(typeof asked === "string" && asked !== "" && { serverName: asked.toLowerCase() }),
    ...(typeof alpnProtocol === "string" && alpnProtocol !== "" && { alpn: alpnProtocol }),
    resumed: socket.isSessionReused(),
    ...(peer !== undefined && { peer }),
    authorized: authorized && peer !== undefined,
  };
}

function peerOf(certificate: X509Certificate | undefined): PeerCertificate | undefined {
  if (certificate === undefined) return undefined;
  return {
    ...certificateNames(certificate.raw),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    serialNumber: certificate.serialNumber.toLowerCase(),
    validFrom: Date.parse(certificate.validFrom),
    validTo: Date.parse(certificate.validTo),
  };
}
