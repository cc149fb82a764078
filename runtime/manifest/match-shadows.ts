/** Routes that nobody ever comes to, since those before them have taken everybody. */
import type { MatchCondition, MatchRoute } from "../core/prologue/match-plan.ts";
import { matchHttp, matchName } from "../core/prologue/match.ts";

/** A condition in words: `tls sni=*.example.org alpn=h2`. */
export function describeCondition(when: MatchCondition): string {
  switch (when.kind) {
    case "tls":
      return [
        "tls",
        ...(when.sni === undefined ? [] : [`sni=${when.sni.join(",")}`]),
        ...(when.alpn === undefined ? [] : [`alpn=${when.alpn.join(",")}`]),
      ].join(" ");
    case "prefix":
      return `prefix ${when.prefixes.map(showBytes).join(",")}`;
    case "plugin":
      return `plugin ${when.specifier}`;
    default:
      return when.kind;
  }
}

/** Text where it is some, bytes where it is not. */
function showBytes(hex: string): string {
  const bytes = (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
  return bytes.every((byte) => byte > 32 && byte < 127)
    ? JSON.stringify(String.fromCharCode(...bytes))
    : `0x${hex}`;
}

/** What of `before` takes all who could come by a condition, in words; undefined when somebody may. */
export function shadowOf(when: MatchCondition, before: readonly MatchRoute[]): string | undefined {
  const parts = partsOf(when);
  const covers = parts.map((part) => before.find((route) => takesAll(route.when, part)));
  if (parts.length === 0 || covers.includes(undefined)) return undefined;
  return [...new Set(covers.map((route) => route!.text))].join(" and ");
}

/** Its alternatives, each of which is one to be taken away. */
function partsOf(when: MatchCondition): MatchCondition[] {
  if (when.kind === "prefix") {
    return when.prefixes.map((prefix) => ({ kind: "prefix", prefixes: [prefix] }));
  }
  if (when.kind !== "tls") return [when];
  const names = when.sni?.map((name) => [name]) ?? [undefined];
  const protocols = when.alpn?.map((name) => [name]) ?? [undefined];
  return names.flatMap((sni) =>
    protocols.map((alpn) => ({
      kind: "tls" as const,
      ...(sni !== undefined && { sni }),
      ...(alpn !== undefined && { alpn }),
    }))
  );
}

/** A client of TLS begins with these; and how SSH begins. */
const TLS_BEGINS = "1603";
const SSH_BEGINS = "5353482d";

function takesAll(all: MatchCondition, part: MatchCondition): boolean {
  if (all.kind === "otherwise") return true;
  switch (part.kind) {
    case "otherwise":
      return false;
    case "plugin":
      return all.kind === "plugin" && all.url === part.url;
    case "http":
      return all.kind === "http";
    case "ssh":
      return all.kind === "ssh" || begins(all, SSH_BEGINS);
    case "tls":
      return begins(all, TLS_BEGINS) ||
        all.kind === "tls" && wider(all.sni, part.sni, coversName) &&
          wider(all.alpn, part.alpn, (one, other) => one === other);
    case "prefix": {
      const [prefix = ""] = part.prefixes;
      return begins(all, prefix) || all.kind === "ssh" && prefix.startsWith(SSH_BEGINS) ||
        all.kind === "http" && matchHttp(bytesOf(prefix)) === true;
    }
  }
}

/** Whether whoever begins with `hex` begins with one of these prefixes. */
function begins(all: MatchCondition, hex: string): boolean {
  return all.kind === "prefix" && all.prefixes.some((prefix) => hex.startsWith(prefix));
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** Lists of which the second has one item at the most; one that is absent is of everybody. */
function wider(
  all: readonly string[] | undefined,
  part: readonly string[] | undefined,
  covers: (one: string, other: string) => boolean,
): boolean {
  if (all === undefined) return true;
  return part !== undefined && all.some((one) => covers(one, part[0]!));
}

function coversName(all: string, name: string): boolean {
  return all === name || (!name.startsWith("*.") && matchName(all)(name));
}
