/** What a manifest says of processes: who they are, and how they run. */
import * as v from "valibot";
import type { Identity, ProcessPlan, StrategyName } from "../core/plan.ts";
import { choice, entry, integer, noList } from "../values/fields.ts";
import { isRealtime, RESOURCE_ENTRIES } from "./resources.ts";
import { hasProcesses, hasWorkers } from "./limits.ts";
import { type Path, show } from "../values/problem.ts";
import type { CheckedService } from "./schema.ts";
import type { Problems } from "./source.ts";

/** The largest user or group id; what is above it, (uid_t) -1, means "leave it" to the kernel. */
const ID_MAX = 2 ** 32 - 2;

function account(what: "user" | "group", description: string) {
  const expected = `the name or number of a ${what}`;
  return entry(
    description,
    () =>
      choice(expected, {
        // What useradd(8) and the kernel take; a colon would end it in passwd(5).
        string: v.pipe(v.string(), v.regex(/^[^\s:,/-][^\s:,/]*$/, expected)),
        number: integer(0, ID_MAX, expected),
      }),
  );
}

const UMASK = 'a mask in octal, in quotes: "027"';

/** Who a process is, and what its files may be: at the top of a manifest, or of a service. */
export const IDENTITY_ENTRIES = {
  user: account("user", "who it runs as, once its sockets are open"),
  group: account("group", "the group it runs as; the user's own when silent"),
  // The description stands before the conversion: what follows one is no part of the JSON Schema.
  umask: v.optional(
    v.pipe(
      v.string(UMASK),
      v.regex(/^0?[0-7]{3}$/, UMASK),
      v.description("permissions that new files do not get, in octal; umask(2)"),
      v.transform((text) => parseInt(text, 8)),
    ),
  ),
} as const;

const ENV = 'variables, as { "TZ": "UTC" }; null takes one out of the environment';

/** What a service whose workers are processes may say of them. */
export const PROCESS_ENTRIES = {
  ...IDENTITY_ENTRIES,
  nice: entry(
    "the priority of its processes: 19 is the least, below 0 needs root; setpriority(2)",
    () => integer(-20, 19, "a whole number from -20 to 19"),
  ),
  ...RESOURCE_ENTRIES,
  env: entry(
    "variables of its processes, added to those of the server; null takes one away",
    () =>
      noList(v.record(
        v.pipe(v.string(), v.regex(/^[^=\0]+$/, "the name of a variable, without =")),
        v.nullable(v.pipe(v.string(ENV), v.regex(/^[^\0]*$/, ENV))),
        ENV,
      )),
  ),
} as const;

/** The identity that a manifest or a service names. */
export function identityOf({ user, group }: Partial<CheckedService>): Identity {
  return { ...(user !== undefined && { user }), ...(group !== undefined && { group }) };
}

/** What the processes of a service are. Whoever the server becomes, they become too, when nobody else is named. */
export function processOf(
  service: Partial<CheckedService>,
  top: Identity,
  strategy: StrategyName,
): ProcessPlan {
  const { umask, nice, ioprio, resources, env = {} } = service;
  const own = identityOf(service);
  const inherits = hasProcesses(strategy) && own.user === undefined;
  return {
    ...(inherits && top),
    ...own,
    ...(umask !== undefined && { umask }),
    ...(nice !== undefined && { nice }),
    ...(ioprio !== undefined && { ioprio }),
    ...(resources !== undefined && { resources }),
    env,
  };
}

/** Which of them stand at the top of a manifest too. */
const SHARED: readonly string[] = Object.keys(IDENTITY_ENTRIES);

/** Tells of what a service says of its processes, or of watching them, when it has none. */
export function checkProcess(
  problems: Problems,
  service: Partial<CheckedService>,
  strategy: StrategyName,
  path: Path,
  top: Identity,
): void {
  if (hasProcesses(strategy)) return checkRights(problems, service, path, top);
  const who = hasWorkers(strategy)
    ? "a thread"
    : `a service of the strategy ${strategy}, which runs inside the server,`;
  for (const key of Object.keys(PROCESS_ENTRIES) as (keyof typeof PROCESS_ENTRIES)[]) {
    const value = service[key];
    if (value === undefined) continue;
    const top = SHARED.includes(key) ? `, or ${key} at the top of the manifest` : "";
    problems.add(
      [...path, key],
      `${show(key)} with the strategy ${show(strategy)}`,
      `${who} cannot have ${OWN[key]} of its own: use processes or spawn${top}`,
      { part: "key" },
    );
  }
  const stall = service.limits?.stall;
  if (hasWorkers(strategy) || stall === undefined || stall === Infinity) return;
  problems.add(
    [...path, "limits", "stall"],
    `"stall" with the strategy ${show(strategy)}`,
    "threads, processes or spawn: nobody watches a service that runs inside the server",
    { part: "key" },
  );
}

/**
 * Tells of what only root can do. Workers are started at any time, and a server that has become
 * somebody else is not root any more.
 */
function checkRights(
  problems: Problems,
  { user, group, nice, ioprio }: Partial<CheckedService>,
  path: Path,
  top: Identity,
): void {
  if (top.user === undefined || top.user === "root" || top.user === 0) return;
  const wanted = {
    ...(user !== top.user && { user }),
    ...(group !== top.group && { group }),
    ...(nice !== undefined && nice < 0 && { nice }),
    ...(ioprio !== undefined && isRealtime(ioprio) && { ioprio: "realtime" }),
  };
  for (const [key, value] of Object.entries(wanted)) {
    if (value === undefined) continue;
    problems.add(
      [...path, key],
      `${show(value)} beside ${show(top.user)} as the user of the whole server`,
      `no ${key} here, or no user at the top of the manifest: whoever is not root can start nobody else`,
    );
  }
}

const OWN: Readonly<Record<keyof typeof PROCESS_ENTRIES, string>> = {
  user: "a user",
  group: "a group",
  umask: "a umask",
  nice: "a priority",
  ioprio: "a priority of I/O",
  resources: "limits",
  env: "an environment",
};
