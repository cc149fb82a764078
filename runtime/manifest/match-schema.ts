/** `match` of a service: whom its peers are for, by what they say first. */
import * as v from "valibot";
import { choice, duration, entry, flag, strict } from "../values/fields.ts";

const SERVICE = "the name of a service";
const service = () => v.pipe(v.string(SERVICE), v.nonEmpty(SERVICE));

const texts = <const S extends v.GenericSchema>(expected: string, one: S) => () =>
  choice(`${expected}, or a list of these`, {
    string: one,
    array: v.pipe(v.array(one), v.minLength(1, `${expected}, or a list of these`)),
  });

const NAME =
  "a name of a server, as a.example.org, or *.example.org: every name with one label more";
const name = v.pipe(v.string(NAME), v.regex(/^(?:\*\.)?[^*\s.]+(?:\.[^*\s.]+)*$/, NAME));

const ALPN = "the name of a protocol, 1 to 255 bytes: h2, http/1.1, smtp";
const protocol = v.pipe(
  v.string(ALPN),
  v.check((text) => text !== "" && new TextEncoder().encode(text).length <= 255, ALPN),
);

const PREFIX = "a text of 1 to 256 bytes, which is what a peer begins with";
const prefix = v.pipe(
  v.string(PREFIX),
  v.check((text) => text !== "" && new TextEncoder().encode(text).length <= 256, PREFIX),
);

const HEX = "1 to 256 bytes in hexadecimal, as 16 03 01";
const hex = v.pipe(v.string(HEX), v.regex(/^\s*(?:[\dA-Fa-f]{2}\s*){1,256}$/, HEX));

const MODULE = "a short name, ./path or an npm package";

const WORDS = ["tls", "http", "ssh"] as const;
const WHEN = '"tls", "http", "ssh", or one of { "tls": { "sni": …, "alpn": … } }, ' +
  '{ "prefix": … }, { "hex": … }, { "plugin": … }';

const when = () =>
  choice(WHEN, {
    string: v.picklist(WORDS, WHEN),
    object: strict(WHEN, {
      tls: entry("TLS, of those who ask for one of these", () =>
        strict('an object, as { "sni": "*.example.org", "alpn": "h2" }', {
          sni: entry("the names of servers, one of which is asked for", texts(NAME, name)),
          alpn: entry("protocols, one of which is offered", texts(ALPN, protocol)),
        })),
      prefix: entry("what a peer begins with, as text", texts(PREFIX, prefix)),
      hex: entry("the same as bytes in hexadecimal", texts(HEX, hex)),
      plugin: entry(
        "a module that exports match(bytes), which answers true, false, or undefined: not enough yet",
        () =>
          v.pipe(v.string(MODULE), v.regex(/^[^\0]+$/, MODULE)),
      ),
    }),
  });

const ROUTE = '{ "when": …, "service": … }, or { "otherwise": "SERVICE" }';
const route = strict(ROUTE, {
  when: entry("what a peer says first", when),
  service: entry("the service that those are for", service),
  otherwise: entry(
    "the service for all who are left, and for those who say nothing in time",
    service,
  ),
  tls: entry(
    "the service speaks TLS with them from the first byte on; when silent where when is tls, and the service has tls",
    flag,
  ),
});

const ROUTES = `a list of ${ROUTE}`;
const routes = v.pipe(v.array(route), v.minLength(1, ROUTES));

export const match = choice(`${ROUTES}; or { "routes": [ … ], "wait": "3s" }`, {
  array: routes,
  object: strict(`{ "routes": [ … ], "wait": "3s" }`, {
    routes: v.pipe(routes, v.description("the first that it can be is the one")),
    wait: entry(
      "how long a peer may take to say enough; then it goes to otherwise, or is refused; 3s when silent",
      () => duration(true, false),
    ),
  }),
});

/** What a manifest says of it. */
export type CheckedMatch = v.InferOutput<typeof match>;
/** One way. */
export type CheckedRoute = v.InferOutput<typeof route>;
