import { PorticoError } from "../core/errors.ts";

/** A plugin serves what comes to a socket, or says so before it is opened. @throws PorticoError NOT_SUPPORTED. */
export function checkKind(
  plugin: { readonly name: string; readonly transports: readonly string[] },
  kind: "stream" | "datagram" | "http",
  text: string,
): void {
  if (plugin.transports.includes(kind)) return;
  const what = kind === "http" ? "an http" : `a ${kind}`;
  throw new PorticoError(
    "NOT_SUPPORTED",
    `${text} is ${what} socket; the plugin ${plugin.name} serves ${
      plugin.transports.join(" and ")
    }`,
  );
}
