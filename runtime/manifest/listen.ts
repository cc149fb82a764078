import { isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import type { SocketOptions } from "../core/contract.ts";
import {
  type Endpoint,
  expandPorts,
  formatEndpoint,
  parseEndpoint,
  UNIX_PATH_MAX,
} from "../core/endpoint.ts";
import { messageOf } from "../core/errors.ts";
import type { ListenPlan, TlsPlan } from "../core/plan.ts";
import { checkInherited } from "./inherited.ts";
import { didYouMean } from "../values/nearest.ts";
import { formatPath, type Path, show } from "../values/problem.ts";
import type { CheckedService } from "./schema.ts";
import type { CheckedEndpointTls } from "./tls-schema.ts";
import { portOf } from "../values/ports.ts";
import { folderAt, folderOf, type Problems } from "./source.ts";

const TRANSPORTS = [
  "tcp",
  "tls",
  "udp",
  "unix",
  "unixgram",
  "http",
  "https",
  "http+unix",
  "systemd",
  "fd",
  "stdio",
];

/** Where endpoints stand in their manifests. */
const PATHS = new WeakMap<ListenPlan, Path>();

/** Where an endpoint stands in its manifest. */
export function listenPath(listen: ListenPlan): Path | undefined {
  return PATHS.get(listen);
}

/** What an endpoint says of TLS beside it. */
const SAID = new WeakMap<ListenPlan, CheckedEndpointTls>();

/** What an endpoint says of TLS beside it, and nothing where it is silent. */
export function tlsSaid(listen: ListenPlan): CheckedEndpointTls | undefined {
  return SAID.get(listen);
}

/** The same endpoint over TLS. */
export function withTls(listen: ListenPlan, tls: TlsPlan): ListenPlan {
  const secured = { ...listen, tls };
  const path = PATHS.get(listen);
  if (path !== undefined) PATHS.set(secured, path);
  return secured;
}

/** Reads the endpoints of services, and remembers them to find the same one twice. */
export class Endpoints {
  readonly #problems: Problems;
  readonly #taken = new Map<string, Path>();

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** @param path of the service's `listen`. */
  read(listen: NonNullable<CheckedService["listen"]>, path: Path): ListenPlan[] {
    const items = Array.isArray(listen) ? listen : [listen];
    return items.flatMap((item, index) => {
      const place = Array.isArray(listen) ? [...path, index] : path;
      if (typeof item === "string") return this.#one(item, {}, place);
      const { endpoint, tls, ...options } = item;
      const read = this.#one(endpoint, defined(options), [...place, "endpoint"]);
      if (tls !== undefined) { for (const each of read) SAID.set(each, tls); }
      return read;
    });
  }

  /** The path of the control socket: `unix:PATH` or the path itself. Undefined when it is wrong. */
  control(text: string, path: Path): string | undefined {
    const place = text.replace(/^unix:(?!\/\/)/, "");
    if (/^\w[\w+]*:/.test(place) || /^@|\0/.test(place) || place === "") {
      const why = place.startsWith("@")
        ? ", in a folder: an abstract one is open to everybody"
        : "";
      this.#problems.add(path, show(text), `a Unix socket, as "unix:./control.sock"${why}`);
      return undefined;
    }
    const absolute = resolve(folderOf(this.#problems.source), place);
    const endpoint: Endpoint = { transport: "unix", path: absolute };
    this.#claim(this.#absolute(endpoint, path), text, path);
    return absolute;
  }

  /** A range of ports is each of them. */
  #one(text: string, options: SocketOptions, path: Path): ListenPlan[] {
    try {
      return expandPorts(text).map((each) => {
        const listen = this.#checked(parseEndpoint(each, portOf), each, options, path);
        PATHS.set(listen, path);
        return listen;
      });
    } catch (error) {
      const scheme = /^([a-z+]+):/i.exec(text)?.[1] ?? text;
      this.#problems.add(path, show(text), expectation(error), {
        hint: TRANSPORTS.includes(scheme) ? undefined : didYouMean(scheme, TRANSPORTS),
      });
      return [];
    }
  }

  #checked(parsed: Endpoint, text: string, options: SocketOptions, path: Path): ListenPlan {
    const endpoint = this.#absolute(parsed, path);
    this.#claim(endpoint, text, path);
    checkInherited(this.#problems, { text, endpoint, options }, path);
    return { text, endpoint, options };
  }

  /** Paths start at the manifest's folder; the kernel wants them short. */
  #absolute(endpoint: Endpoint, path: Path): Endpoint {
    if (!("path" in endpoint)) return endpoint;
    const abstract = endpoint.path.startsWith("@");
    const bound = abstract
      ? endpoint.path
      : shorten(endpoint.path, folderAt(this.#problems.source, path));
    const length = new TextEncoder().encode(bound).length;
    if (length > UNIX_PATH_MAX) {
      const what = abstract ? "the name" : `the path ${bound}`;
      this.#problems.add(
        path,
        `${what} has ${length} bytes`,
        `at most ${UNIX_PATH_MAX} bytes, more does not fit the kernel's sun_path`,
        {
          code: "ENAMETOOLONG",
          hint: abstract
            ? "give it a shorter name"
            : `give it a short absolute path, as ${endpoint.transport}:/run/echo.sock`,
        },
      );
    }
    return { ...endpoint, path: bound };
  }

  #claim(endpoint: Endpoint, text: string, path: Path): void {
    if ("port" in endpoint && endpoint.port === 0) return;
    const key = socketOf(endpoint);
    const earlier = this.#taken.get(key);
    if (earlier === undefined) {
      this.#taken.set(key, path);
      return;
    }
    const other = formatPath(earlier.slice(0, 2));
    this.#problems.add(
      path,
      `${show(text)} a second time`,
      `each endpoint once: ${other} has it already${this.#problems.place(earlier)}`,
    );
  }
}

/**
 * The path as it is bound: an absolute one as it is; a relative one absolute too, or relative to the
 * working directory when it lies below. It is the address that peers see: whoever sends a datagram
 * to `examples/echo/echo.dgram` from there expects the answer from that name.
 */
function shorten(path: string, folder: string): string {
  const absolute = resolve(folder, path);
  if (isAbsolute(path)) return absolute;
  const below = relative(process.cwd(), absolute);
  return below === "" || below.startsWith("..") ? absolute : below;
}

/** What two endpoints cannot share: TLS and HTTP listen on TCP ports too, a path holds one socket, stdio: is fd:0. */
function socketOf(endpoint: Endpoint): string {
  if ("path" in endpoint) {
    return endpoint.path.startsWith("@") ? endpoint.path : resolve(endpoint.path);
  }
  if (endpoint.transport === "stdio") return "fd:0";
  if (endpoint.transport === "fd") return `fd:${Number(endpoint.name)}`;
  if ("name" in endpoint || endpoint.transport === "udp") return formatEndpoint(endpoint);
  return formatEndpoint({ ...endpoint, transport: "tcp" });
}

/** The part of a SyntaxError's message that says what would be right. */
export function expectation(error: unknown): string {
  return messageOf(error).replace(/; received .*$/s, "");
}

function defined(options: object): SocketOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
