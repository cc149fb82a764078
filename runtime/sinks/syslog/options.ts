/** The options of a `syslog` sink. */
import * as v from "valibot";
import { entry, flag, size, strict } from "../../values/fields.ts";
import { QUEUE_OPTIONS } from "../queue-options.ts";
import { FRAMINGS } from "./framing.ts";
import { FACILITIES } from "./priority.ts";
import { parseTarget, wrongTarget } from "./target.ts";

const keys = <T extends object>(table: T): (keyof T)[] => Object.keys(table) as (keyof T)[];

const TO = 'where the server is: "unix:/dev/log" (when silent), udp://HOST, tcp://HOST, tls://HOST';
const FORMAT =
  '"rfc5424" (when silent, on the network) or "rfc3164" (when silent, on a Unix socket)';
const FRAMING =
  '"octet-counting" (when silent, on the network), "lf" or "nul" (when silent, on a Unix socket)';
const FACILITY = `a facility: ${keys(FACILITIES).join(", ")}`;
const APP_NAME = "1 to 48 printable ASCII characters without spaces";
const HOSTNAME = "1 to 255 printable ASCII characters without spaces";
const SD_ID =
  'an SD-ID of RFC 5424, as "portico@32473": at most 32 characters, with your enterprise number';
/** What every receiver has to take (RFC 5424 §6.1), and what a UDP datagram can hold. */
const LEAST = 480;
const MOST = 65507;
const MAX_SIZE =
  `a size from ${LEAST} bytes, on a datagram to ${MOST}: larger messages are cut; 8KiB when silent, over UDP 2048`;

const path = (what: string) => {
  const expected = `the path of ${what} (PEM), relative to the manifest`;
  return entry(expected, () => v.pipe(v.string(expected), v.nonEmpty(expected)));
};

const TLS = '{ "ca": "./ca.pem", "cert": …, "key": …, "serverName": … }';
const tls = strict(TLS, {
  ca: path(
    "the certificates of the authorities that are trusted, in the place of the runtime's own",
  ),
  cert: path("our certificate"),
  key: path("its key"),
  serverName: entry(
    "the name that the server's certificate has to have; the host of `to` when silent",
    () => v.pipe(v.string("a host name"), v.nonEmpty("a host name")),
  ),
  rejectUnauthorized: entry("false trusts any certificate; true when silent", flag),
});

const ENTRIES = {
  to: v.optional(
    v.pipe(
      v.string(TO),
      v.check(
        (text) => wrongTarget(text) === undefined,
        (issue) => wrongTarget(issue.input as string)!,
      ),
      v.description(TO),
    ),
    "unix:/dev/log",
  ),
  format: entry(FORMAT, () => v.picklist(["rfc5424", "rfc3164"], FORMAT)),
  framing: entry(
    `where a message ends on a stream: ${FRAMING}`,
    () => v.picklist(keys(FRAMINGS), FRAMING),
  ),
  facility: v.optional(
    v.pipe(
      v.picklist(keys(FACILITIES), FACILITY),
      v.description("who speaks, as syslog(3) sorts it; daemon when silent"),
    ),
    "daemon",
  ),
  appName: v.optional(
    v.pipe(
      v.string(APP_NAME),
      v.regex(/^[!-~]{1,48}$/, APP_NAME),
      v.description("the name of the program, APP-NAME or TAG; portico when silent"),
    ),
    "portico",
  ),
  hostname: entry(
    "the name of this machine; its own when silent",
    () => v.pipe(v.string(HOSTNAME), v.regex(/^[!-~]{1,255}$/, HOSTNAME)),
  ),
  sdId: v.optional(
    v.pipe(
      v.string(SD_ID),
      v.regex(/^(?=[!-~]{1,32}$)[^="\]@]+(?:@\d+(?:\.\d+)*)?$/, SD_ID),
      v.description("the name of the element of structured data that has the fields"),
    ),
    "portico@32473",
  ),
  maxSize: entry(
    MAX_SIZE,
    () => v.pipe(size(false), v.check((bytes) => bytes >= LEAST, MAX_SIZE)),
  ),
  ...QUEUE_OPTIONS,
  tls: entry("whom to trust, and who we are, over tls://", () => tls),
};

/** Whether they go to a place of one of these transports. */
function goes({ to }: { readonly to: string }, ...transports: readonly string[]): boolean {
  return transports.includes(parseTarget(to).transport);
}

/** What a manifest may say of it. */
export const OPTIONS = v.pipe(
  strict('{ "type": "syslog", "to": … }', ENTRIES),
  v.forward(
    v.check(
      (options) => options.framing === undefined || !goes(options, "udp"),
      "nothing: each message is a datagram over UDP",
    ),
    ["framing"],
  ),
  v.forward(
    v.check(
      (options) => options.tls === undefined || goes(options, "tls"),
      "nothing: only tls:// takes it",
    ),
    ["tls"],
  ),
  v.forward(
    v.check(
      ({ tls }) => (tls?.cert === undefined) === (tls?.key === undefined),
      "both cert and key, or neither",
    ),
    ["tls"],
  ),
  v.forward(
    v.check(
      (options) =>
        options.maxSize === undefined || options.maxSize <= MOST || !goes(options, "udp"),
      MAX_SIZE,
    ),
    ["maxSize"],
  ),
);

/** The options, checked and completed. */
export type SyslogOptions = v.InferOutput<typeof OPTIONS>;
