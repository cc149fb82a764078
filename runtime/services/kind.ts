import { kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Hooks, Plugin } from "../core/plugin.ts";

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

/** The hooks that can serve each kind. */
const FORMS = {
  stream: ["data", "handle", "take"],
  datagram: ["datagram", "data", "handle"],
  http: ["fetch"],
} as const;

/** A plugin has returned a hook for all that the service listens on. @throws PorticoError PLUGIN_INVALID. */
export function checkForms(
  { name, transports }: Pick<Plugin, "name" | "transports">,
  hooks: Hooks<unknown>,
  { listen, reached }: Pick<ServicePlan, "listen" | "reached">,
): void {
  for (const { endpoint, text } of listen) {
    // What somebody else has opened is looked at later.
    if (!("name" in endpoint)) checkForm(name, hooks, kindOf(endpoint.transport), text);
  }
  if (reached) {
    const kind = transports.includes("stream") ? "stream" : "http";
    checkForm(name, hooks, kind, "what match leads here");
  }
}

/** As {@link checkForms}, of one endpoint. */
export function checkForm(
  name: string,
  hooks: Hooks<unknown>,
  kind: "stream" | "datagram" | "http",
  text: string,
): void {
  const forms = FORMS[kind];
  if (forms.some((form) => hooks[form] !== undefined)) return;
  const due = kind === "http" ? "no hook fetch" : `none of the hooks ${forms.join(", ")}`;
  throw new PorticoError(
    "PLUGIN_INVALID",
    `${text}: the start of plugin ${JSON.stringify(name)} returned ${due}`,
  );
}
