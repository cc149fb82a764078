/** Reads inetd.conf(5), of BSD and of Debian: a service a line. */
import { basename } from "node:path";
import type { Entry } from "./entry.ts";
import { unreadable } from "./xinetd.ts";

/**
 * The services of a file.
 *
 * @throws PorticoError CONFIG_UNREADABLE with file and line, for what is no line of inetd.conf.
 */
export function readInetd(file: string, text: string): Entry[] {
  const entries: Entry[] = [];
  /** The address of services that name none. */
  let host: string | undefined;
  for (const [at, whole] of text.split(/\r?\n/).entries()) {
    // update-inetd(8) turns services off in this way.
    const [, off, line] = /^\s*(#<off>#\s*)?(.*)$/.exec(whole)!;
    if (line === "" || line!.startsWith("#")) continue;
    const fields = line!.split(/\s+/).filter(Boolean);
    if (fields.length === 1 && fields[0]!.endsWith(":")) {
      // It alone on a line is that of all that follow.
      host = fields[0]!.slice(0, -1);
      continue;
    }
    if (fields.length < 6) {
      throw unreadable(
        file,
        at + 1,
        `"SERVICE TYPE PROTOCOL wait|nowait USER PROGRAM ARGUMENTS…": received ${
          JSON.stringify(line)
        }`,
      );
    }
    entries.push(entryOf({ file, line: at + 1 }, fields, host, off !== undefined));
  }
  return entries;
}

function entryOf(
  place: { readonly file: string; readonly line: number },
  fields: readonly string[],
  defaultHost: string | undefined,
  off: boolean,
): Entry {
  const [name, type, protocol, waits, who, program, ...args] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
    ...string[],
  ];
  const [wait, ...most] = waits.split(/[./:]/);
  const [user, group] = who.split("/")[0]!.split(/[:.]/);
  const [, host = defaultHost, service] = /^(?:(.*):)?([^:]+)$/.exec(name) ?? [, undefined, name];
  const unix = protocol === "unix";
  // tcpd(8) has the program that it stands before as the first argument.
  const wrapped = basename(program) === "tcpd";
  const server = wrapped && args[0]?.startsWith("/") === true ? args[0] : program;
  const set = (key: string, ...words: (string | undefined)[]): [string, string[]][] =>
    words.some((word) => word === undefined || word === "") ? [] : [[key, words as string[]]];
  const builtIn = program === "internal";
  return {
    service: unix ? name : service!,
    id: unix ? basename(name) : service!,
    ...place,
    attributes: new Map([
      ...set("socket_type", type),
      ...set("protocol", protocol),
      ...set("wait", wait === "wait" ? "yes" : "no"),
      ...set("user", user),
      ...set("group", group),
      ...(host === "*" ? set("flags", "IPv6") : set("bind", host?.replace(/^\[(.*)\]$/, "$1"))),
      ...(/^\d+$/.test(service!) ? set("port", service) : []),
      ...(builtIn ? set("type", "INTERNAL") : set("server", server)),
      // The first argument is the program's own name.
      ...(args.length > 1 && !builtIn ? set("server_args", ...args.slice(1)) : []),
      ...(protocol.startsWith("rpc/") || (!unix && service!.includes("/"))
        ? set("type", "RPC")
        : []),
      ...(wrapped ? set("tcpd", "yes") : []),
      // BSD has children, those a minute from one address, and those of one address; Debian's, those a minute.
      ...(waits.includes("/")
        ? [
          ...set("instances", most[0]),
          ...set("perminute", most[1]),
          ...set("per_source", most[2]),
        ]
        : set("cpm", most[0])),
    ]),
    ...(off && { off: "it is turned off (#<off>#)" }),
  };
}
