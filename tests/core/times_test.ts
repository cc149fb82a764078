import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AccessRules } from "../../runtime/core/access/rules.ts";
import { parseTimes, Times } from "../../runtime/core/access/times.ts";
import { Address } from "../../runtime/core/endpoint.ts";

const open = (text: string, when: string): boolean =>
  new Times([parseTimes(text)]).open(Date.parse(when));

describe("Times", () => {
  test("a window holds on its days, from its first minute to before its last", () => {
    // 2026-11-27 is a Friday.
    const text = "Mon-Fri 08:00-18:00 UTC";
    assert.equal(open(text, "2026-11-27T07:59:59.999Z"), false);
    assert.equal(open(text, "2026-11-27T08:00:00Z"), true);
    assert.equal(open(text, "2026-11-27T17:59:59.999Z"), true);
    assert.equal(open(text, "2026-11-27T18:00:00Z"), false);
    assert.equal(open(text, "2026-11-28T12:00:00Z"), false);
  });
  test("a window over midnight belongs to the day on which it begins", () => {
    const text = "Fri 22:00-06:00 UTC";
    assert.equal(open(text, "2026-11-27T05:00:00Z"), false, "Friday morning is Thursday's");
    assert.equal(open(text, "2026-11-27T22:00:00Z"), true);
    assert.equal(open(text, "2026-11-28T05:59:00Z"), true);
    assert.equal(open(text, "2026-11-28T06:00:00Z"), false);
    assert.equal(open(text, "2026-11-28T23:00:00Z"), false);
  });
  test("days over the week's end, lists of days, days without hours, hours without days", () => {
    assert.equal(open("Sat-Mon UTC", "2026-11-29T12:00:00Z"), true);
    assert.equal(open("Sat-Mon UTC", "2026-11-27T12:00:00Z"), false);
    assert.equal(open("tue,FRI UTC", "2026-11-27T12:00:00Z"), true);
    assert.equal(open("00:00-24:00 UTC", "2026-11-27T23:59:59Z"), true);
    assert.equal(open("18:00-24:00 UTC", "2026-11-28T00:00:00Z"), false);
  });
  test("what the clock on the wall shows counts, also when clocks are put forth and back", () => {
    // Paris, 2026-03-29: 02:00 becomes 03:00; 2026-10-25: 03:00 becomes 02:00.
    const text = "02:00-03:00 Europe/Paris";
    assert.equal(open(text, "2026-03-29T00:59:00Z"), false, "01:59");
    assert.equal(open(text, "2026-03-29T01:00:00Z"), false, "03:00");
    assert.equal(open(text, "2026-10-25T00:30:00Z"), true, "02:30 of summer");
    assert.equal(open(text, "2026-10-25T01:30:00Z"), true, "02:30 of winter");
    assert.equal(open(text, "2026-10-25T02:00:00Z"), false, "03:00");
    // A zone whose offset is no whole hour.
    assert.equal(open("08:00-09:00 Asia/Kathmandu", "2026-11-27T02:20:00Z"), true, "08:05");
  });
  test("windows agree with Intl in any zone at any time", () => {
    const zones = [
      "Europe/Paris",
      "America/New_York",
      "Asia/Kolkata",
      "Australia/Lord_Howe",
      "UTC",
    ];
    const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const minute = fc.integer({ min: 0, max: 24 * 60 - 1 });
    const clock = (n: number): string =>
      `${String(Math.floor(n / 60)).padStart(2, "0")}:${String(n % 60).padStart(2, "0")}`;
    const when = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2030, 0) });
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.subarray(days, { minLength: 1 }),
        minute,
        minute,
        fc.array(when, { minLength: 1, maxLength: 20 }),
        (zone, chosen, from, to, times) => {
          fc.pre(from !== to);
          const window = new Times([
            parseTimes(`${chosen.join(",")} ${clock(from)}-${clock(to)} ${zone}`),
          ]);
          for (const time of times) {
            const text = new Intl.DateTimeFormat("en-GB", {
              timeZone: zone,
              weekday: "short",
              hour: "2-digit",
              minute: "2-digit",
            }).format(time);
            const [, day = "", hour, min] = /^(\w+)\D+(\d+):(\d+)$/.exec(text)!;
            const now = 60 * Number(hour) + Number(min);
            const before = days[(days.indexOf(day) + 6) % 7]!;
            const expected = from < to
              ? chosen.includes(day) && from <= now && now < to
              : chosen.includes(day) && from <= now || chosen.includes(before) && now < to;
            assert.equal(window.open(time), expected, `${text} ${zone}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
  test("a clock that is set back is asked again", () => {
    const times = new Times([parseTimes("08:00-09:00 UTC")]);
    assert.equal(times.open(Date.parse("2026-11-27T08:59:59Z")), true);
    assert.equal(times.open(Date.parse("2026-11-27T09:00:00Z")), false);
    assert.equal(times.open(Date.parse("2026-11-27T08:30:00Z")), true);
  });
  test("parseTimes names what is no window, and what would be right", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["", /^a window has days or hours/],
      ["Europe/Paris", /^a window has days or hours/],
      ["Mon-Fry 08:00-18:00", /^days are Mon Tue/],
      ["Mon-Tue-Wed", /^days are Mon Tue/],
      ["08:00-08:00", /^a window has a length/],
      ["8-18", /^hours are HH:MM-HH:MM/],
      ["24:00-25:00", /^hours are HH:MM-HH:MM/],
      ["08:60-09:00", /^hours are HH:MM-HH:MM/],
      ["08:00-09:00 10:00-11:00", /^one window has one span/],
      ["08:00-18:00 Europe/Atlantis", /^there is no time zone "Europe\/Atlantis"/],
      ["UTC 08:00-18:00", /^a zone comes last/],
    ];
    for (const [text, message] of wrong) {
      assert.throws(() => parseTimes(text), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.endsWith(`; received ${JSON.stringify(text)}`), error.message);
        return error instanceof SyntaxError;
      });
    }
  });
});

describe("rules with times", () => {
  const rule = (action: "allow" | "deny", text: string, ...times: string[]) => ({
    action,
    text,
    subject: text,
    ...(times.length > 0 && { times }),
  });
  const day = Date.parse("2026-11-27T12:00:00Z");
  const night = Date.parse("2026-11-27T23:00:00Z");
  const peer = new Address("tcp", "10.1.2.3", 1, "");

  test("outside its hours a rule is as if it were not there", () => {
    const access = new AccessRules({
      rules: [
        rule("allow", "10.0.0.0/8"),
        rule("deny", "10.1.0.0/16", "Mon-Fri 22:00-06:00 UTC", "Sat,Sun UTC"),
      ],
      others: false,
    });
    assert.equal(access.timed, true);
    assert.equal(access.decide(peer, day).text, "allow 10.0.0.0/8");
    assert.equal(access.decide(peer, night).text, "deny 10.1.0.0/16");
  });
  test("who comes outside the hours of the one rule that allows it is told of them", () => {
    const access = new AccessRules({
      rules: [rule("allow", "10.0.0.0/8", "08:00-18:00 UTC")],
      others: false,
    });
    assert.equal(access.decide(peer, day).served, true);
    assert.deepEqual(
      [access.decide(peer, night).served, access.decide(peer, night).text],
      [false, "allow 10.0.0.0/8, only 08:00-18:00 UTC"],
    );
  });
});
