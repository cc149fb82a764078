/** What `portico ctl` can be asked to do: see {@link CommandSpec}. */
import { RUNTIMES } from "../control/request.ts";
import { LEVELS } from "../core/record.ts";
import type { CommandSpec } from "./spec.ts";

const SERVICE = { name: "SERVICE", optional: true } as const;

/** In the order of the help. */
export const CTL_VERBS = [
  {
    name: "list",
    summary: "every server of this user that has a control socket",
    words: [],
    options: [],
    alone: true,
    more: [
      'Each with its manifest, pid, uptime, state and runtime, as it says itself. Others of this machine are their users\': root sees those of root. One whose manifest says "control": false is not among them.',
    ],
  },
  {
    name: "status",
    summary: "what runs, where it listens, what it has done",
    words: [SERVICE],
    options: [],
  },
  {
    name: "health",
    summary: "a line for each service; exit code 1 unless all are running",
    words: [SERVICE],
    options: [],
    more: [
      "A service that has failed, is suspended, drains or was stopped is not well, nor is a server that starts or ends, nor one that does not run.",
    ],
  },
  {
    name: "logs",
    summary: "the last warnings and changes, then all records as they come",
    words: [SERVICE],
    options: [
      {
        name: "level",
        value: "LEVEL",
        one: LEVELS,
        summary: "the least that is shown: debug, info, warn or error; info when silent",
      },
      {
        name: "lines",
        value: "COUNT",
        summary: "how many of the last ones come first; 20 when silent, the server keeps 200",
      },
      { name: "no-follow", summary: "ends after them" },
    ],
    more: [
      "Whatever the sinks are: what nobody else wants is made as long as somebody reads. Before that only what an operator has to know is kept: starts, reloads, changes of services and workers, warnings and errors. Ends with the server, or with Ctrl-C; after an upgrade it goes on with the successor. Who reads too slowly misses some, and is told how many.",
    ],
  },
  {
    name: "top",
    summary: "who is there: sources by their sessions, bytes or refusals, live",
    words: [],
    options: [
      {
        name: "by",
        value: "WHAT",
        one: ["sessions", "bytes", "refusals", "arrivals"],
        summary: "what they are in the order of; sessions when silent",
      },
      { name: "once", summary: "prints one table and ends; so it does where no terminal is" },
    ],
    more: [
      "Over all services. Sessions and bytes are those of sessions that are open; arrivals (sessions, requests, datagrams) and refusals are counted from when somebody looks on, for as long as somebody does and a minute longer, of 4096 to 8192 sources; --once looks for a second. What programs read that exec has started is not seen before they end.",
    ],
  },
  {
    name: "bans",
    summary: "who is shut out of all services, until when, and why",
    words: [],
    options: [],
  },
  {
    name: "ban",
    summary: "shuts a source out of all services; sessions that are open stay",
    words: [{ name: "SOURCE" }],
    options: [
      { name: "for", value: "DURATION", summary: "as 10m, 24h, or none; 1h when silent" },
      { name: "reason", value: "TEXT", summary: "for records, and for who asks for bans" },
    ],
    more: [
      "SOURCE is an address, ADDRESS/PREFIX, or uid:N for a user over Unix sockets. Exactly that is banned: of IPv6 name the /64, which one subscriber has. Whom access.never names is not banned. It is in force in all services for the next who comes, and outlives reloads and upgrades; a restart where the manifest says bans.file.",
    ],
  },
  {
    name: "unban",
    summary: "lets a source in again",
    words: [{ name: "SOURCE", optional: true }],
    options: [{ name: "all", summary: "all of them" }],
  },
  {
    name: "reload",
    summary: "reads the manifest again, changes what changed",
    words: [],
    options: [],
  },
  {
    name: "suspend",
    summary: "stops accepting; what connects waits in the kernel's queue",
    words: [SERVICE],
    options: [],
  },
  { name: "resume", summary: "accepts again", words: [SERVICE], options: [] },
  {
    name: "drain",
    summary: "stops accepting, returns when the sessions are over",
    words: [SERVICE],
    options: [],
  },
  {
    name: "stop",
    summary: "ends the service; without SERVICE the server, and returns when it has gone",
    words: [SERVICE],
    options: [],
  },
  {
    name: "restart",
    summary: "starts the service anew on its sockets; the sessions of before end as in a drain",
    words: [{ name: "SERVICE", hint: "portico ctl upgrade is for the whole server" }],
    options: [],
    more: [
      "Nobody is refused meanwhile. One that was stopped or has failed is started again. The manifest is not read: that is what reload does.",
    ],
  },
  {
    name: "upgrade",
    summary: "hands the sockets to a new process, then ends this one; no connection is lost",
    words: [],
    options: [
      {
        name: "to",
        value: "RUNTIME",
        one: RUNTIMES,
        summary: "on node, bun or deno; on the same one when silent",
      },
    ],
  },
] as const satisfies readonly CommandSpec[];
