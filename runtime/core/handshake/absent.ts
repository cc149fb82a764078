import { PorticoError } from "../errors.ts";
import type { StartTls } from "./start.ts";

/** Of services that have nothing of TLS. */
export const noHandshakes: { readonly start: StartTls } = {
  start: ({ service: { plan } }) => Promise.reject(withoutTls(plan.name)),
};

/** The manifest says nothing of TLS. */
export function withoutTls(service: string): PorticoError {
  const name = JSON.stringify(service);
  const text =
    `cannot start TLS: service ${name} has no certificate: add "tls" to it in the manifest`;
  return new PorticoError("USAGE", text, { side: "plugin" });
}
