/** The command line of `churn.ts`. */
import { parse, UsageError } from "../usage.ts";
import { LONG, type LongWish, SHORT, type ShortWish } from "./load.ts";

export const HELP = `Usage: node bench/churn.ts --endpoint ENDPOINT [options]

Makes short connections to something that echoes, compares every byte, and counts what became of
each. Ends with exit code 1 when one failed. Ctrl-C stops it; the counts are printed then, too.

  --endpoint E      tcp://HOST:PORT or unix:PATH
  --concurrency N   connections at once (default ${SHORT.concurrency})
  --total N         connections in all
  --seconds S       stops after so long
  --rate N          connections a second, at most (default ${SHORT.rate})
  --bytes N         of a payload (default ${SHORT.bytes}; with --stay ${LONG.bytes})
  --hold MS         between the two halves of a payload (default ${SHORT.holdMs})
  --timeout MS      for a connection or a ping (default ${SHORT.timeoutMs})
  --close WHEN      first, last, mixed: whether our side ends before the answer (default ${SHORT.close})
  --sources N       addresses of 127.0.0.0/8 to come from (default ${SHORT.sources})
  --stay N          N connections that stay and ping, in the place of short ones
  --every MS        from ping to ping, with --stay (default ${LONG.everyMs})
  --json            the report as JSON
  --steered         is told what to do by lines of JSON on stdin (bench/churn/steer.ts)
`;

export type Words =
  | { readonly kind: "help" }
  | { readonly kind: "steered" }
  | {
    readonly kind: "short";
    readonly load: ShortWish;
    readonly seconds: number;
    readonly json: boolean;
  }
  | {
    readonly kind: "long";
    readonly load: LongWish;
    readonly seconds: number;
    readonly json: boolean;
  };

const NUMBERS = {
  concurrency: { type: "string" },
  total: { type: "string" },
  seconds: { type: "string" },
  rate: { type: "string" },
  bytes: { type: "string" },
  hold: { type: "string" },
  timeout: { type: "string" },
  sources: { type: "string" },
  stay: { type: "string" },
  every: { type: "string" },
} as const;

function manner(text: string | undefined): "first" | "last" | "mixed" {
  if (text === undefined) return SHORT.close;
  if (text === "first" || text === "last" || text === "mixed") return text;
  throw new UsageError(`--close takes first, last or mixed, not ${text}`);
}

/** Reads the command line. @throws UsageError */
export function words(given: readonly string[]): Words {
  const values = parse({
    args: [...given],
    options: {
      ...NUMBERS,
      endpoint: { type: "string" },
      close: { type: "string" },
      json: { type: "boolean" },
      steered: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return { kind: "help" };
  if (values.steered) return { kind: "steered" };
  const number = (name: keyof typeof NUMBERS): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== "" && value >= 0 && Number.isFinite(value)) return value;
    throw new UsageError(`--${name} takes a number, 0 or above, not ${text}`);
  };
  const { endpoint } = values;
  if (endpoint === undefined) throw new UsageError("--endpoint is missing; --help tells more");
  const seconds = number("seconds") ?? Infinity;
  const json = values.json ?? false;
  const timeoutMs = number("timeout") ?? SHORT.timeoutMs;
  const connections = number("stay");
  if (connections !== undefined) {
    const everyMs = number("every") ?? LONG.everyMs;
    const bytes = number("bytes") ?? LONG.bytes;
    return {
      kind: "long",
      load: { endpoint, connections, everyMs, bytes, timeoutMs },
      seconds,
      json,
    };
  }
  const total = number("total");
  const load: ShortWish = {
    endpoint,
    concurrency: number("concurrency") ?? SHORT.concurrency,
    rate: number("rate") ?? SHORT.rate,
    bytes: number("bytes") ?? SHORT.bytes,
    holdMs: number("hold") ?? SHORT.holdMs,
    sources: number("sources") ?? SHORT.sources,
    close: manner(values.close),
    timeoutMs,
    ...(total !== undefined && { total }),
  };
  return { kind: "short", load, seconds, json };
}
