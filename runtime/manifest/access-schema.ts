/** `access` of a manifest, as a Valibot schema. What it comes to is made by `access.ts`. */
import * as v from "valibot";
import { choice, entry, flag, noList, strict } from "../values/fields.ts";
import { OPTION_NAME } from "./rule-line.ts";

/** Whom a rule can be about, in words. */
export const SUBJECT =
  'whom it is about: an address, ADDRESS/PREFIX, ADDRESS-ADDRESS, HOST or .DOMAIN by name, "@GROUP", "file:PATH", "user:NAME", "group:NAME", "uid:N", "gid:N" or "cert:subject=…"';
const RULE = `${SUBJECT}; or { "from": …, "times": …, "options": …, "end": true }`;
const subject = v.pipe(v.string(SUBJECT), v.nonEmpty(SUBJECT));
export const subjects = v.pipe(v.array(subject, SUBJECT), v.minLength(1, SUBJECT));
const TIMES = 'hours of the week, as "Mon-Fri 08:00-18:00 Europe/Paris", or a list of these';
const OPTIONS = 'texts by name, as { "RELAYCLIENT": "" }; a name has letters, digits and _';
const timeWindow = v.string(TIMES);
const rule = strict(RULE, {
  from: v.pipe(
    choice(SUBJECT, { string: subject, array: subjects }),
    v.description("whom it is about, or a list of these"),
  ),
  times: entry(
    "when it holds: days, hours of a clock on the wall, a time zone; always when silent",
    () =>
      choice(TIMES, {
        string: timeWindow,
        array: v.pipe(v.array(timeWindow, TIMES), v.minLength(1, TIMES)),
      }),
  ),
  end: entry(
    "with times: sessions end, too, when it does not hold any more, or begins to deny",
    flag,
  ),
  options: entry(
    "of an allow: text for the plugin, by name; for exec variables of the environment",
    () =>
      noList(
        v.record(v.pipe(v.string(), v.regex(OPTION_NAME, OPTIONS)), v.string(OPTIONS), OPTIONS),
      ),
  ),
});
const rules = () =>
  v.array(
    choice(RULE, { string: subject, object: rule }),
    'a list of addresses, as ["127.0.0.0/8", "::1"]',
  );
const ACCESS = 'an object, as { "allow": ["127.0.0.0/8"], "deny": [] }';
const ENTRIES = {
  allow: entry(
    "who is served, by address, or user and group of this machine: all when silent, nobody when empty",
    rules,
  ),
  deny: entry("who is not; the smallest range of both lists decides", rules),
  never: entry(
    "who is never banned, by no service; that of defaults holds beside it",
    () => v.array(subject, SUBJECT),
  ),
};
/** `access` of `defaults`. */
export const access = strict(ACCESS, ENTRIES);
/** That of a service, which may add to the lists of `defaults`, and take from them. */
export const ownAccess = strict(ACCESS, {
  ...ENTRIES,
  "allow+=": entry("beside what allow of defaults has", rules),
  "allow-=": entry("without these of allow of defaults, as they are written there", rules),
  "deny+=": entry("beside what deny of defaults has", rules),
  "deny-=": entry("without these of deny of defaults, as they are written there", rules),
});
