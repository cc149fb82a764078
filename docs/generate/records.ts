/** What each event means, and which fields its records have beside `time`, `level`, `event`, `service`. */
import type { EventName } from "../../runtime/core/record.ts";

export interface EventDoc {
  readonly level: string;
  readonly when: string;
  readonly fields: string;
}

export const EVENT_DOCS: Readonly<Record<EventName, EventDoc>> = {
  start: {
    level: "info",
    when: "The server has begun. Sessions are counted anew.",
    fields: "`runtime`, `version`, `pid`",
  },
  listening: {
    level: "info",
    when: "A socket is bound.",
    fields: "`endpoint`: the one really bound, port 0 resolved",
  },
  ready: { level: "info", when: "All services listen.", fields: "none" },
  open: {
    level: "info of streams, debug of datagrams and requests",
    when: "A session has been let in.",
    fields:
      "`session`, `remote`, `local`; `outgoing` where the plugin has opened it; `uid`, `gid`, `pid` of the peer of a Unix stream where a sink asks for `user`; `method`, `path` of requests",
  },
  close: {
    level: "info of streams, debug of datagrams and requests",
    when: "It is over.",
    fields:
      "`session`, `remote`, `durationMs`, `bytesIn`, `bytesOut`, `reason`; with the reason `error` its `code` and `message`; `method`, `path`, `status` of requests; `exit` or `signal` of a program of `exec`",
  },
  refuse: {
    level: "warn by a limit, debug or info else; of datagrams one warning a second for each limit",
    when: "A session was turned away.",
    fields:
      "`session`, `remote`, `local`, and `rule` or `limit`; `suppressed`: warnings left out since the last one; `count` of one that stands for so many of one source, whose last is `remote`, or without it of many ([summed up](../guide/limits.md#records-of-refusals)); `method`, `path` of requests",
  },
  ban: {
    level: "warn",
    when: "A source is shut out of all services: [bans](../guide/bans.md).",
    fields:
      "`source`: an address, a prefix or `uid:N`; `cause`; `until`, unless it has no end; `service` where one has done it, not an operator",
  },
  unban: {
    level: "info",
    when: "It is let in again.",
    fields:
      "`source`; `reason`: `over` (its time), `control`, `most` (there was no room for another) or `never`; `refused`: how many were refused for it; `service` as with `ban`",
  },
  request: {
    level: "info",
    when: "An access record of a request, for sinks alone that name it in `events`.",
    fields:
      "`session`, `remote`, `local`, `method`, `path` (without its query), `status`, `durationMs`, `bytesOut` where it streamed, `reason`; `code`, `message` of an error",
  },
  datagram: {
    level: "info",
    when: "An access record of a datagram, for sinks alone that name it in `events`.",
    fields: "`session`, `remote`, `local`, `durationMs`, `bytesIn`, `bytesOut`, `reason`",
  },
  error: {
    level: "by the side: peer debug, host warn, plugin and config error",
    when: "Something went wrong: [the codes](./errors.md).",
    fields:
      "`session` where it is one's; `code`, `message`, `side`; `at`: the line in the plugin's code; `during`: `reload` where that failed",
  },
  log: {
    level: "the plugin's choice",
    when: "A plugin's own words.",
    fields: "`session` of a session's log; `text`, and the plugin's fields",
  },
  status: {
    level: "info",
    when: "SIGUSR2: one record for each service.",
    fields: "as `portico ctl status --json`",
  },
  reload: {
    level: "info",
    when: "The manifest was read again, or a successor takes over.",
    fields:
      "what was added, changed, removed and kept; `successor`: its process id, and its `runtime`",
  },
  suspend: {
    level: "info; warn where it rests, error where workers die again and again",
    when: "A service accepts nobody.",
    fields: "`reason` where it was not asked for; `rate`: it rests, `forMs`",
  },
  resume: {
    level: "info; warn where it has rested",
    when: "It accepts again.",
    fields: "`reason`: `rate` where it has rested",
  },
  worker: {
    level: "debug; warn or error where one died",
    when:
      "A worker was started, has ended or was replaced; `limited`: processes of the service could not be started.",
    fields:
      "`action`, `worker`: its number, `pid`, how it ended and the `reason`; `count` of what was `limited`",
  },
  drain: {
    level: "info",
    when: "Sessions are given time to end.",
    fields: "`live`: how many, `limitMs`: how long",
  },
  stop: {
    level: "info; error where a plugin ended the process",
    when: "The server has stopped, or a service by `portico ctl`.",
    fields: "`reason`; `exit`, `at` where a plugin has called `process.exit`",
  },
};
