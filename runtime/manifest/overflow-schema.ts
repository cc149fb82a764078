/** The parts of a manifest's schema about newcomers at a limit, and what is said to those who come. */
import * as v from "valibot";
import { OVERFLOW_WORDS, type OverflowWord, WORDS_OF } from "../core/admission/overflow.ts";
import { choice, count, duration, entry, integer, size, strict } from "../values/fields.ts";

const WAITING = 'a number of sessions, or { "sessions": 1000, "bytes": "32MiB" }';
export const waiting = () =>
  choice(WAITING, {
    number: integer(1, Number.MAX_SAFE_INTEGER, WAITING),
    object: strict(WAITING, {
      sessions: entry("how many", count),
      bytes: entry(
        "2 KiB for each stream and request, 512 bytes and what it holds for a datagram; 32MiB when silent",
        () => size(true),
      ),
    }),
  });

const listed = (words: readonly string[]): string => words.map((word) => `"${word}"`).join(", ");
const words = <const W extends OverflowWord>(of: readonly W[]) => v.picklist(of, listed(of));
/** With the older name of `wait`. */
const waitWord = <const W extends OverflowWord>(of: readonly W[], expected: string) =>
  v.pipe(
    v.picklist([...of, "hold"], expected),
    v.transform((word) => word === "hold" ? "wait" : word),
  );
const waitWords = <const W extends OverflowWord>(of: readonly W[]) =>
  choice(listed(of), { string: waitWord(of, listed(of)) });
const OVERFLOW =
  '"wait", "refuse", "reset", "drop" or "shed"; or one for each limit, as { "sessions": "shed", "rate": "wait" }';
export const overflow = () =>
  choice(OVERFLOW, {
    string: waitWord(OVERFLOW_WORDS, OVERFLOW),
    object: strict(OVERFLOW, {
      sessions: entry("at the limit of sessions", () => waitWords(WORDS_OF.sessions)),
      perSource: entry("at that of sessions from one source", () => waitWords(WORDS_OF.perSource)),
      rate: entry("above the rate of the service", () => waitWords(WORDS_OF.rate)),
      ratePerSource: entry("above the rate of a source", () => words(WORDS_OF.ratePerSource)),
      load: entry("while there is too much to do", () => words(WORDS_OF.load)),
    }),
  });

const LOAD = 'a load average above 0, or { "average": 4, "delay": "200ms" }';
const average = () =>
  v.pipe(
    v.number(LOAD),
    v.check((value) => value > 0, "a load average above 0"),
  );
export const load = () =>
  choice(LOAD, {
    number: average(),
    object: strict(LOAD, {
      average: entry("of the machine, over one minute, as uptime(1) has it", average),
      delay: entry("how late the event loop is", () => duration(true, false)),
    }),
  });

const BANNER_TEXT = 'text with ${remote} and the like, or { "file": "PATH" }';
const bannerText = () =>
  choice(BANNER_TEXT, {
    string: v.string(),
    object: strict(BANNER_TEXT, {
      file: v.pipe(
        v.string("the path of a file"),
        v.regex(/^[^\0]+$/, "the path of a file"),
        v.description("the path of a file, which is read at the start and at a reload"),
      ),
    }),
  });
const BANNER =
  `what is said to whom is let in, as text; or { "accept": …, "refuse": … }, each ${BANNER_TEXT}`;
export const banner = () =>
  choice(BANNER, {
    string: v.string(),
    object: strict(BANNER, {
      accept: entry("said to whom is let in, before anything else; not of HTTP", bannerText),
      refuse: entry("said to whom is turned away; of HTTP, the body of the answer", bannerText),
    }),
  });
