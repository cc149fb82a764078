import { given, wrongType } from "./arguments.ts";

/**
 * The units of the manifest. Each pattern is exactly what its function reads; the patterns go into
 * the JSON Schema as they are. `none` stands for "no limit" and is read as Infinity, so that a
 * service can lift a limit of `defaults`.
 */

/** `250ms` `30s` `5m` `1h`. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
/** `512B` `10kB` `10MB` `1GB`, in thousands; `64KiB` `10MiB` `1GiB`, in powers of two. */
export const SIZE = /^(\d+(?:\.\d+)?)(B|[kKMG]B|[KMG]iB)$/;
/** `50/s` `600/m` `1000/h`, and `50/s burst 100`. */
export const RATE = /^(\d+)\/([smh])(?: burst (\d+))?$/;
/** Of bytes a second: `1MiB`, and `1MiB burst 4MiB`. */
export const BYTE_RATE =
  /^(\d+(?:\.\d+)?(?:B|[kKMG]B|[KMG]iB))(?: burst (\d+(?:\.\d+)?(?:B|[kKMG]B|[KMG]iB)))?$/;
/** `1KiB/30s`: a {@link SIZE} in a {@link DURATION}. */
export const PROGRESS = /^(\d+(?:\.\d+)?(?:B|[kKMG]B|[KMG]iB))\/(\d+(?:\.\d+)?(?:ms|s|m|h))$/;
/** A whole number as text: what an environment variable can give. */
export const COUNT = /^\d+$/;

/** The longest finite duration, in milliseconds: timers count no further. About 596 hours. */
export const DURATION_MAX: number = 2 ** 31 - 1;

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES: Record<string, number> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Milliseconds; NaN for what {@link DURATION} does not match. */
export function parseDuration(text: string): number {
  const found = DURATION.exec(text);
  return found === null ? NaN : Number(found[1]) * MILLISECONDS[found[2]!]!;
}

/** Bytes, rounded down; NaN for what {@link SIZE} does not match. */
export function parseSize(text: string): number {
  const found = SIZE.exec(text);
  return found === null ? NaN : Math.floor(Number(found[1]) * BYTES[found[2]!]!);
}

/** A token bucket, refilled by `count` over `per` milliseconds; both NaN for what {@link RATE} does not match. */
export function parseRate(text: string): { count: number; per: number; burst?: number } {
  const found = RATE.exec(text);
  if (found === null) return { count: NaN, per: NaN };
  const [, count, per, burst] = found;
  return {
    count: Number(count),
    per: MILLISECONDS[per!]!,
    ...(burst !== undefined && { burst: Number(burst) }),
  };
}

/** As {@link parseRate}, of bytes a second; the count NaN for what {@link BYTE_RATE} does not match. */
export function parseByteRate(text: string): { count: number; per: number; burst?: number } {
  const [, count = "", burst] = BYTE_RATE.exec(text) ?? [];
  const rate = { count: parseSize(count), per: 1000 };
  return burst === undefined ? rate : { ...rate, burst: parseSize(burst) };
}

/** At least so many bytes in `per` milliseconds; both NaN for what {@link PROGRESS} does not match. */
export function parseProgress(text: string): { bytes: number; per: number } {
  const found = PROGRESS.exec(text);
  if (found === null) return { bytes: NaN, per: NaN };
  return { bytes: parseSize(found[1]!), per: parseDuration(found[2]!) };
}

/** `NaN` for what {@link COUNT} does not match. */
export function parseCount(text: string): number {
  return COUNT.test(text) ? Number(text) : NaN;
}

/** Milliseconds, or text as the manifest has it: `250ms`, `30s`, `5m`, `1h`. */
export type Duration = number | string;

/**
 * Milliseconds of a duration that a plugin names; Infinity is none.
 *
 * @throws TypeError, RangeError that say whose it is, for what is no duration or longer than timers count.
 */
export function milliseconds(duration: Duration, name: string): number {
  const due = `milliseconds from 0 to ${DURATION_MAX}, Infinity, or text as "30s"`;
  if (typeof duration !== "string" && typeof duration !== "number") {
    throw wrongType(name, due, duration);
  }
  const ms = typeof duration === "string" ? parseDuration(duration) : duration;
  if (ms === Infinity || (ms >= 0 && ms <= DURATION_MAX)) return ms;
  throw new RangeError(`${name}: ${due} is due; received ${given(duration)}`);
}
