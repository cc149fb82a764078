/**
 * What a manifest may say, as a Valibot schema. Values come out of it with their units converted;
 * defaults are put in by `expand.ts`, since they have to be merged first.
 */
import * as v from "valibot";
import {
  choice,
  count,
  duration,
  entry,
  flag,
  integer,
  noList,
  progress,
  rate,
  size,
  strict,
} from "../values/fields.ts";
import { banner, load, overflow, waiting } from "./overflow-schema.ts";
import { ban, bans } from "./bans.ts";
import { BYTE_ENTRIES } from "./byte-limits.ts";
import { concurrency } from "./concurrency.ts";
import { MATCH, TLS } from "./parts.ts";
import { POLICIES } from "./policies.ts";
import { IDENTITY_ENTRIES, PROCESS_ENTRIES } from "./process.ts";
import { access, ownAccess, subjects } from "./access-schema.ts";
import { resolver } from "./resolver.ts";
import { SOCKET_ENTRIES } from "./socket.ts";

const SERVICE_NAME = "a name of letters, digits, - and _, which begins with a letter or digit";

/** Names of services, plugins and sinks. */
const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][\w-]*$/, SERVICE_NAME));

const endpoint = v.pipe(
  v.string(),
  v.nonEmpty("an endpoint, as tcp://127.0.0.1:7007 or unix:./echo.sock"),
);

const listener = strict("an endpoint, or an object with the key endpoint", {
  endpoint: v.pipe(
    v.string("an endpoint as text"),
    v.nonEmpty("an endpoint as text"),
    v.description("the address, as tcp://127.0.0.1:7007 or unix:./echo.sock"),
  ),
  tls: entry(
    "TLS from the first byte on: true, as the service has it, or what differs here",
    () => TLS.modules.schema.endpointTls,
  ),
  ...SOCKET_ENTRIES,
});

const LISTEN =
  'an endpoint as text, an object { "endpoint": …, "backlog": … } with socket options, or a list of these';

const listen = choice(LISTEN, {
  string: endpoint,
  object: listener,
  array: v.pipe(
    v.array(
      choice("an endpoint as text, or an object with socket options", {
        string: endpoint,
        object: listener,
      }),
    ),
    v.minLength(1, "at least one endpoint"),
  ),
});

const SINK = 'a sink: "console", "json", "file", "none", a name of "sinks", or { "type": … }';

const TYPE =
  'what kind of sink: one that comes along, a name of "sinks", or a plugin\'s: a short name of "plugins", ./path or a package';

/** One sink. What a type takes beside these is checked by the type itself. */
export const sink = v.looseObject({
  type: v.pipe(v.string(SINK), v.regex(/^[^\0]+$/, SINK), v.description(TYPE)),
  ...POLICIES,
}, (issue) => issue.expected === '"type"' ? `"type": ${SINK}` : SINK);

const sinkName = v.pipe(v.string(), v.regex(/^[^\0]+$/, SINK));
const log = choice(`${SINK}; or a list of these`, {
  string: sinkName,
  object: sink,
  array: v.array(choice(SINK, { string: sinkName, object: sink })),
});

const limits = strict('an object of limits, as { "sessions": 1000, "idle": "60s" }', {
  sessions: entry("sessions at once, held ones too", count),
  perSource: entry("sessions at once from one source", count),
  source: entry(
    "what counts as one source, by the bits of a prefix: an address of IPv4 and a /64 of IPv6 when silent",
    () =>
      strict('an object, as { "ipv4": 24, "ipv6": 56 }', {
        ipv4: entry("of 32 bits", () => integer(0, 32, "a whole number from 0 to 32")),
        ipv6: entry("of 128 bits", () => integer(0, 128, "a whole number from 0 to 128")),
      }),
  ),
  rate: entry("new sessions of the whole service", rate),
  ratePerSource: entry("new sessions, requests and datagrams from one source", rate),
  datagramRate: entry(
    "of datagrams over UDP, in the place of ratePerSource; the plugin's own when silent, as 1000/s of echo",
    rate,
  ),
  ...BYTE_ENTRIES,
  refuseRecords: entry(
    "refuse records of one source and cause that are written one by one, what is beyond is counted in one every 10s; 1/s burst 200 when silent",
    rate,
  ),
  handshake: entry("of TLS, from the open to its end; 10s when silent", () => duration(true, true)),
  handshakes: entry(
    "handshakes of TLS that are under way at once, who comes beyond waits unread; 1000 when silent",
    count,
  ),
  firstByte: entry(
    "from the open to the first byte of the peer; when silent 5m, while nothing has gone either way; not of HTTP",
    () => duration(true, true),
  ),
  idle: entry(
    "how long a session may stay without a byte in either direction; 1h when silent; not of HTTP",
    () => duration(true, true),
  ),
  progress: entry(
    "what has to move at least while something is under way: a frame or a body of the peer's, what it was sent and does not take; 256B/2m when silent",
    progress,
  ),
  lifetime: entry(
    "from the open to the close; of HTTP, from a request to the end of its answer: 503 then, or a cut",
    () => duration(true, true),
  ),
  handler: entry(
    "how long a promise of a hook may take; then the session ends, and its signal aborts; of HTTP 503",
    () => duration(true, true),
  ),
  wait: entry("how long a session may wait for its turn", () => duration(false, true)),
  hold: entry("what wait was called before", () => duration(false, true)),
  writeBuffer: entry(
    "bytes written and not yet sent, above which a session ends; not of HTTP",
    () => size(true),
  ),
  waiting: entry(
    "how many may wait, for a place or a turn, and what they may take of memory",
    waiting,
  ),
  overflow: entry(
    "what becomes of newcomers at a limit: one word, or one for each limit",
    overflow,
  ),
  rest: entry(
    "how long nobody is accepted once rate was exceeded; none: newcomers are asked one by one",
    () => duration(true, true),
  ),
  load: entry(
    "above which newcomers are refused: of the machine, over one minute, and of the event loop",
    load,
  ),
  drain: entry("how long a stop waits for sessions to end", () => duration(false, true)),
  start: entry("how long the plugin's start may take", () => duration(true, true)),
  stall: entry(
    "how long a worker's event loop may be blocked before it is replaced; 30s for processes and spawn",
    () => duration(true, true),
  ),
});

const groups = entry(
  "lists of addresses by name, for access, where they are called @NAME",
  () => noList(v.record(name, subjects, '{ "NAME": ["10.1.0.0/16"] }')),
);

const shared = {
  concurrency: entry("how sessions are served; async when silent", () => concurrency),
  log: entry("where records go; console when silent", () => log),
  limits: entry("counts, rates and deadlines, and what happens at the limit", () => limits),
  access: entry("who is served", () => access),
  banner: entry("what is said to those who come, before anything else; not to datagrams", banner),
  ban,
  tls: entry("its certificates, and how TLS is spoken with them", () => TLS.modules.schema.tls),
};

export const PLUGIN = "a built-in plugin, a short name, ./path or an npm package";
const specifier = v.pipe(v.string(PLUGIN), v.regex(/^[^\0]+$/, PLUGIN));

const MODE = '"require" or "accept"';
const proxyProtocol = strict('an object, as { "from": ["10.0.0.0/8"], "mode": "require" }', {
  from: v.pipe(
    subjects,
    v.description("which balancers may say it, as access has it; whoever else does is refused"),
  ),
  mode: entry(
    "require, when silent: there has to be a header; accept: whoever sends none is served as itself",
    () => v.picklist(["require", "accept"], MODE),
  ),
  wait: entry("how long it may take to come; 3s when silent", () => duration(true, false)),
});

/**
 * One service. Only the admin, and whom others hand connections, may be silent about where it listens; only one with
 * `match` has no plugin: `expand.ts` sees to that.
 */
export const service = strict('a service: { "plugin": …, "listen": … }', {
  plugin: entry(PLUGIN, () => specifier),
  match: entry(
    "in the place of a plugin: which service a peer is for, by the first that it says",
    () => MATCH.modules.schema.match,
  ),
  disable: entry("it is checked, and does not run", () => flag()),
  listen: entry(
    "where it listens; of the admin plugin http+unix:./admin.sock, for its own user, when silent",
    () => listen,
  ),
  ...shared,
  "log+=": entry("beside what log of defaults has", () => log),
  "log-=": entry("without these of log of defaults, as they are written there", () => log),
  access: entry("who is served", () => ownAccess),
  options: entry("checked by the plugin's own schema", () => v.unknown()),
  proxyProtocol: entry(
    "its peers come through a balancer, which says who they are: the PROXY protocol, versions 1 and 2",
    () => proxyProtocol,
  ),
  ...PROCESS_ENTRIES,
});

const CONTROL = 'the path of a socket, as "unix:./control.sock", or false for none';
const control = choice(CONTROL, {
  string: v.pipe(v.string(), v.nonEmpty(CONTROL)),
  boolean: v.literal(false, CONTROL),
});

const INCLUDEDIR = 'the path of a folder, as "./services.d", or a list of these';
const includedFolder = v.pipe(v.string(INCLUDEDIR), v.nonEmpty(INCLUDEDIR));
const includedir = choice(INCLUDEDIR, {
  string: includedFolder,
  array: v.array(includedFolder, INCLUDEDIR),
});

const SERVICES = '{ "NAME": { "plugin": …, "listen": … } }, at least one';
const record = <S extends v.GenericSchema>(value: S, expected: string) =>
  noList(v.record(name, value, expected));

/** A whole manifest. */
export const manifest = strict('a manifest: { "services": { … } }', {
  $schema: entry("the JSON Schema of this file, for editors", () => v.string("a URL or path")),
  plugins: entry(
    "short names for plugins of this manifest",
    () => record(specifier, '{ "NAME": "./path" }'),
  ),
  sinks: entry("sinks by name", () => record(sink, '{ "NAME": { "type": … } }')),
  defaults: entry(
    "merged under every service",
    () => strict("an object with concurrency, log, limits, access or tls", shared),
  ),
  groups,
  resolver: entry("how names of hosts and domains in access are looked up", () => resolver),
  bans,
  includedir: entry(
    "folders with services in files of their own, NAME.json or NAME.jsonc: one each, or several under services",
    () => includedir,
  ),
  control: entry("where portico ctl reaches the server; false: nowhere", () => control),
  ...IDENTITY_ENTRIES,
  services: v.pipe(
    record(service, SERVICES),
    v.minEntries(1, SERVICES),
    v.description(SERVICES),
  ),
});

/** A manifest with its units converted. */
export type CheckedManifest = v.InferOutput<typeof manifest>;
/** One service of it. */
export type CheckedService = CheckedManifest["services"][string];
/** What `defaults` may hold. */
export type CheckedDefaults = NonNullable<CheckedManifest["defaults"]>;
/** Who is served. */
export type CheckedAccess = CheckedService["access"] | undefined;
/** One sink. */
export type CheckedSink = v.InferOutput<typeof sink>;
