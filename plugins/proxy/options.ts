import * as v from "valibot";
import { parseEndpoint } from "../../runtime/mod.ts";
import { count, duration } from "../units.ts";

const TO = "tcp://HOST:PORT, unix:PATH, udp://HOST:PORT or unixgram:PATH, or a list of them";
/** What sun_path of unix(7) holds, in bytes, with its closing NUL. */
const PATH_MAX = 107;
const TRANSPORTS: readonly string[] = ["tcp", "unix", "udp", "unixgram"];

/** An endpoint that can be connected to. */
const target = v.pipe(
  v.string(TO),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const flaw = flawOf(dataset.value);
    if (flaw !== undefined) addIssue({ message: flaw });
  }),
);

function flawOf(text: string): string | undefined {
  try {
    const endpoint = parseEndpoint(text);
    if (!TRANSPORTS.includes(endpoint.transport)) return TO;
    if ("path" in endpoint) {
      const { length } = new TextEncoder().encode(endpoint.path);
      return length > PATH_MAX ? `a path of at most ${PATH_MAX} bytes` : undefined;
    }
    if (!("port" in endpoint)) return undefined;
    if (endpoint.host === "*") return "the host to connect to, as in tcp://127.0.0.1:80";
    return endpoint.port === 0 ? "the port to connect to, 1 to 65535" : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The options of `proxy`. */
export const options = v.strictObject({
  /** Where it goes. Relative paths start at the manifest's folder. */
  to: v.pipe(
    v.union([
      v.pipe(target, v.transform((one): string[] => [one])),
      v.pipe(v.array(target, TO), v.minLength(1, TO)),
    ], (issue) => issue.issues?.[0]?.message ?? TO),
  ),
  /** How long a target may take to accept. */
  connectTimeout: v.optional(duration(), "5s"),
  /** Which target is next. */
  balance: v.optional(v.picklist(["round-robin"], '"round-robin"'), "round-robin"),
  /** A target that fails so many times in a row is left out for `retry`. */
  health: v.optional(
    v.strictObject({
      fails: v.optional(count(), 3),
      retry: v.optional(duration(), "10s"),
    }),
    {},
  ),
  /** How long a sender of datagrams is remembered when nothing is said. */
  idle: v.optional(duration(), "60s"),
  /** Senders that are remembered; above it whoever has been silent for longest is forgotten. */
  maxPeers: v.optional(count(), 1024),
});
