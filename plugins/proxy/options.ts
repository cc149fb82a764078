import * as v from "valibot";
import { kindOf, parseEndpoint, type ProxyHeaderOptions } from "../../runtime/mod.ts";
import { count, described, duration } from "../units.ts";
import { type ProxyTls, tls } from "./tls.ts";

const TO =
  "tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, udp://HOST:PORT or unixgram:PATH, or a list of them";
/** What sun_path of unix(7) holds, in bytes, with its closing NUL. */
const PATH_MAX = 107;
const TRANSPORTS: readonly string[] = ["tcp", "tls", "unix", "udp", "unixgram"];

/** An endpoint that can be connected to. */
const target: v.GenericSchema<string> = v.pipe(
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

/** The options of `proxy`, as its schema makes them of a manifest's. Durations in ms. */
export interface ProxyOptions {
  readonly to: readonly string[];
  readonly connectTimeout: number;
  readonly balance: "round-robin";
  readonly health: { readonly fails: number; readonly retry: number };
  readonly idle: number;
  readonly maxPeers: number;
  /** The header that targets are sent; none when undefined. */
  readonly proxyProtocol?: ProxyHeaderOptions | undefined;
  /** Of targets of `tls:`. */
  readonly tls: ProxyTls;
}

/** What a manifest may say of them: durations as `"5s"` or ms. */
export interface ProxyInput {
  readonly to: string | string[];
  readonly connectTimeout?: string | number | undefined;
  readonly balance?: "round-robin" | undefined;
  readonly health?: {
    readonly fails?: number | undefined;
    readonly retry?: string | number | undefined;
  } | undefined;
  readonly idle?: string | number | undefined;
  readonly maxPeers?: number | undefined;
  readonly proxyProtocol?: 1 | 2 | ProxyHeaderOptions | undefined;
  readonly tls?: ProxyTls | undefined;
}

const VERSION = "1 or 2, the version of the header";
const HEADER = '1, 2, or an object as { "version": 2, "crc32c": true }';

const version: v.GenericSchema<1 | 2> = v.picklist([1, 2], VERSION);

const fields: v.GenericSchema<ProxyInput, ProxyOptions> = v.strictObject({
  to: described(
    v.union([
      v.pipe(target, v.transform((one): string[] => [one])),
      v.pipe(v.array(target, TO), v.minLength(1, TO)),
    ], (issue) => issue.issues?.[0]?.message ?? TO),
    "where it goes; relative paths start at the folder of the manifest",
  ),
  connectTimeout: v.optional(duration("how long a target may take to accept"), "5s"),
  balance: v.optional(
    described(v.picklist(["round-robin"], '"round-robin"'), "which target is next"),
    "round-robin",
  ),
  health: v.optional(
    described(
      v.strictObject({
        fails: v.optional(count(), 3),
        retry: v.optional(duration(), "10s"),
      }),
      "a target that fails so many times in a row is left out for a while",
    ),
    {},
  ),
  idle: v.optional(
    duration("how long a sender of datagrams is remembered when nothing is said"),
    "60s",
  ),
  maxPeers: v.optional(
    described(
      count(),
      "senders that are remembered; above it whoever has been silent for longest is forgotten",
    ),
    1024,
  ),
  proxyProtocol: v.optional(described(
    v.union([
      v.pipe(version, v.transform((version): ProxyHeaderOptions => ({ version }))),
      v.strictObject({ version, crc32c: v.optional(v.boolean("true or false")) }),
    ], HEADER),
    "tells targets who the client is: the version of the PROXY header that they are sent",
  )),
  tls: v.optional(described(tls, "what targets of tls: are told, and have to show"), {}),
});

/** The schema of `proxy`'s options. Datagrams have no version 1: it is for the beginning of a stream. */
export const options: v.GenericSchema<ProxyInput, ProxyOptions> = v.pipe(
  fields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    const { to, proxyProtocol } = value;
    if (proxyProtocol?.version !== 1 || !to.some(isDatagram)) return;
    addIssue({
      message: "2 where a target is udp: or unixgram:, since version 1 is for streams",
      input: proxyProtocol,
      path: [{
        type: "object",
        origin: "value",
        input: { ...value },
        key: "proxyProtocol",
        value: proxyProtocol,
      }],
    });
  }),
);

function isDatagram(target: string): boolean {
  return kindOf(parseEndpoint(target).transport) === "datagram";
}
