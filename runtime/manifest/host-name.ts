/** Names of hosts and domains, as rules have them. */

/** One label: letters, digits, - within, and _ which no host has, but some names. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** What tcp_wrappers means by these, and nobody's name is. */
const WILDCARDS = /^(?:ALL|LOCAL|KNOWN|UNKNOWN|PARANOID)$/;

/**
 * Reads `db.example.org`, a host, or `.example.org`, all hosts of a domain: as a rule's subject, in ASCII
 * and small letters.
 *
 * @returns undefined for what is neither: the last label of a name begins with a letter, so that no
 * address with a mistake in it passes for one.
 */
export function readHostName(text: string): string | undefined {
  if (WILDCARDS.test(text) || /[/:@%\s*?#]/.test(text)) return undefined;
  const domain = text.startsWith(".");
  const name = asciiOf(domain ? text.slice(1) : text).replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > 253 || !labels.every((label) => LABEL.test(label))) return undefined;
  if (!/^[a-z_]/.test(labels.at(-1)!)) return undefined;
  return `${domain ? "domain" : "host"}:${name}`;
}

/** A name with letters beyond ASCII as DNS has it: `bücher.example` is `xn--bcher-kva.example`. */
function asciiOf(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  try {
    return new URL(`http://${text}`).hostname;
  } catch {
    return "";
  }
}
