/** How names of rules are looked up: at the top of a manifest. */
import * as v from "valibot";
import { readIp } from "../core/ip.ts";
import type { ResolverPlan } from "../core/plan.ts";
import { duration, entry, strict } from "../values/fields.ts";

const SERVER = "the address of a name server, as 192.0.2.53, 127.0.0.1:5353 or [::1]:53";
const SERVERS = 'a list of name servers by address, as ["192.0.2.53"]';

/** How long an answer may take where the manifest is silent, in ms. */
const TIMEOUT = 5_000;

export const resolver = strict('an object, as { "servers": ["192.0.2.53"], "timeout": "5s" }', {
  servers: entry(
    "name servers, asked in this order; those of /etc/resolv.conf when silent",
    () =>
      v.pipe(
        v.array(v.pipe(v.string(SERVER), v.check(isServer, SERVER)), SERVERS),
        v.minLength(1, SERVERS),
      ),
  ),
  timeout: entry(
    "how long a name may take, and somebody waits who has none yet; 5s when silent",
    () => duration(true, false),
  ),
});

function isServer(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  const family = readIp(host, new Uint32Array(4));
  if (family === 0 || bracketed !== undefined && !bracketed.includes(":")) return false;
  return port === undefined || Number(port) > 0 && Number(port) <= 65535;
}

/** With what holds where the manifest is silent. */
export function resolverOf(
  given: v.InferOutput<typeof resolver> | undefined,
): ResolverPlan {
  return { servers: given?.servers, timeout: given?.timeout ?? TIMEOUT };
}
