/** Bans as JSON: in a file, to a successor, and to whoever asks. */
import type { Ban, BanInForce } from "./ban.ts";
import { parseNetwork } from "./network.ts";

/** A ban as JSON has it; one without an end has no `for` and no `until`. */
export interface StoredBan {
  readonly source: string;
  /** RFC 3339. */
  readonly since: string;
  readonly until?: string;
  /** Milliseconds. */
  readonly for?: number;
  readonly cause: string;
  readonly service?: string;
  /** How many it has refused; of those in force. */
  readonly refused?: number;
}

/** A ban as JSON. */
export function storedBan(ban: Ban | BanInForce): StoredBan {
  const { source, since, for: length, cause, service } = ban;
  const until = "until" in ban ? ban.until : since + length;
  return {
    source,
    since: new Date(since).toISOString(),
    ...(until !== Infinity && { until: new Date(until).toISOString(), for: length }),
    cause,
    ...(service !== undefined && { service }),
    ...("refused" in ban && { refused: ban.refused }),
  };
}

/** The ban that JSON says. @throws SyntaxError for what is none. */
export function banFrom(value: unknown): Ban {
  const { source, since, for: length = Infinity, cause, service } = Object(value) as Partial<
    Record<keyof StoredBan, unknown>
  >;
  const began = typeof since === "string" ? Date.parse(since) : NaN;
  const sound = typeof source === "string" && typeof cause === "string" &&
    Number.isFinite(began) && typeof length === "number" && length > 0 &&
    (service === undefined || typeof service === "string");
  if (!sound) throw new SyntaxError(`no ban: ${JSON.stringify(value)?.slice(0, 200)}`);
  const { text } = parseNetwork(source);
  const rest = service === undefined ? {} : { service };
  return { source: text, since: began, for: length, cause, ...rest };
}

/** What a file of bans holds. */
export function storedBans(bans: readonly Ban[]): string {
  const lines = bans.map((ban) => `    ${JSON.stringify(storedBan(ban))}`);
  return `{\n  "portico": 1,\n  "bans": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

/** @throws SyntaxError for what is no file of bans. */
export function bansFrom(text: string): Ban[] {
  const { portico, bans } = Object(JSON.parse(text)) as { portico?: unknown; bans?: unknown };
  if (portico !== 1 || !Array.isArray(bans)) {
    throw new SyntaxError('it is not { "portico": 1, "bans": [ … ] }');
  }
  return bans.map(banFrom);
}
