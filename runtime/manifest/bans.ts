/** `ban` of services, and `bans` of a whole manifest. */
import { resolve } from "node:path";
import * as v from "valibot";
import type { BanPlan, ListenPlan, ServicePlan } from "../core/plan.ts";
import { parseDuration } from "../core/units.ts";
import { choice, duration, entry, flag, integer, strict } from "../values/fields.ts";
import { type Path, show } from "../values/problem.ts";
import type { Problems } from "./source.ts";

/** How long a ban is where nobody says it, in ms. */
const BAN = 3_600_000;
/** How many there are at once where nobody says it. */
export const BANS_MAX = 10_000;
/** Offences that can be counted: when each of them was is remembered for each source. */
const COUNT_MAX = 100;
/** Bans that there can be at once: each costs memory, about 400 bytes. */
const MOST_MAX = 1_000_000;

const AFTER =
  `"5 refusals in 1m": a number from 1 to ${COUNT_MAX}, and a duration above 0; "none" for none`;
/** `5 refusals in 1m`. */
const PATTERN = /^([1-9]\d?|100) (?:refusals?|offences?) in (\d+(?:\.\d+)?(?:ms|s|m|h))$/;

function after() {
  return v.pipe(
    v.string(AFTER),
    v.regex(new RegExp(`${PATTERN.source}|^none$`), AFTER),
    v.check((text) => text === "none" || parseDuration(PATTERN.exec(text)![2]!) > 0, AFTER),
    v.transform((text) => {
      const [, count, per] = PATTERN.exec(text) ?? [];
      return count === undefined
        ? "none" as const
        : { count: Number(count), per: parseDuration(per!), text };
    }),
  );
}

/** Of a service. */
export const ban = entry(
  "when a source is shut out of all services of the manifest",
  () =>
    strict('an object, as { "after": "5 refusals in 1m", "for": "1h" }', {
      after: entry(
        "how many refusals by a rule, verify or a limit of its own, and offences that the plugin tells of, in what time",
        after,
      ),
      for: entry("for how long; 1h when silent, none: until it is lifted", () =>
        duration(true, true)),
      datagrams: entry(
        "those of datagrams count, too, whose senders can be forged: only where nobody can",
        flag,
      ),
    }),
);

/** Of a whole manifest. */
export const bans = entry(
  "where bans are kept, and how many",
  () =>
    strict('an object, as { "file": "./bans.json", "most": 10000 }', {
      file: entry(
        "they outlive a restart there; without it reloads and upgrades only",
        () => v.pipe(v.string("a path"), v.nonEmpty("a path")),
      ),
      most: entry(
        "how many at once, 10000 when silent; beyond them the one that a service has made first is lifted",
        () => {
          const expected = `a whole number from 1 to ${MOST_MAX}`;
          return choice(expected, { number: integer(1, MOST_MAX, expected) });
        },
      ),
    }),
);

type CheckedBan = NonNullable<v.InferOutput<typeof ban>>;

/** What a service says merged over what `defaults` do. */
export function mergeBan(
  problems: Problems,
  defaults: CheckedBan | undefined,
  own: CheckedBan | undefined,
  isSensor: boolean,
  path: Path,
): BanPlan | undefined {
  const { after, for: length = BAN, datagrams = false } = { ...given(defaults), ...given(own) };
  if (own !== undefined && after === undefined && !isSensor) {
    problems.add([...path, "ban"], show(own), `"after": ${AFTER}`);
  }
  if (typeof after === "object") return { after, for: length, datagrams };
  return isSensor ? { for: length, datagrams } : undefined;
}

function given(block: CheckedBan | undefined): Partial<CheckedBan> {
  return Object.fromEntries(Object.entries(block ?? {}).filter(([, value]) => value !== undefined));
}

/** Peers of Unix sockets are asked who they are where anybody may be banned. */
export function askingUsers(services: readonly ServicePlan[], wanted: boolean): ServicePlan[] {
  const any = wanted || services.some(({ ban }) => ban !== undefined);
  const unix = ({ listen }: ServicePlan): boolean => listen.some(mayBeUnix);
  return services.map((plan) => any && unix(plan) ? { ...plan, bansUsers: true } : plan);
}

function mayBeUnix({ endpoint: { transport } }: ListenPlan): boolean {
  return transport === "unix" || transport === "fd" || transport === "systemd";
}

/** The path of the file of bans, from the folder of the manifest on. */
export function bansFile(folder: string, file: string | undefined): string | undefined {
  return file === undefined ? undefined : resolve(folder, file);
}
