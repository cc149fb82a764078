/** Makes a manifest of an inetd.conf(5), an xinetd.conf(5) or a folder of xinetd's: `portico import`. */
import { readFileSync, statSync } from "node:fs";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Converted } from "./entry.ts";
import { readInetd } from "./inetd.ts";
import { convert } from "./service.ts";
import { isXinetd, readXinetd } from "./xinetd.ts";

export type { Converted } from "./entry.ts";

/**
 * The services of a file, or of a folder with a file for each service, in their order.
 *
 * @throws PorticoError CONFIG_UNREADABLE that names file and line.
 */
export function importServices(path: string): Converted[] {
  let folder: boolean;
  let text = "";
  try {
    folder = statSync(path).isDirectory();
    if (!folder) text = readFileSync(path, "utf8");
  } catch (error) {
    const expected = "an inetd.conf, an xinetd.conf or a folder as /etc/xinetd.d";
    throw new PorticoError("CONFIG_UNREADABLE", `${expected}: ${messageOf(error)}`);
  }
  const entries = folder || isXinetd(text) ? readXinetd(path, folder) : readInetd(path, text);
  const taken = new Set<string>();
  return entries.map((entry) => convert(entry, taken));
}

/** The manifest that they make, as a value; without those that are off. */
export function manifestOf(services: readonly Converted[]): object {
  return {
    services: Object.fromEntries(
      services.filter(({ off }) => off === undefined).map(({ name, service }) => [name, service]),
    ),
  };
}

/** The same as text, where what has no equal stands as a comment before its service, and what is off is one. */
export function renderManifest(services: readonly Converted[], from: string): string {
  const head = [`Made of ${from} by \`portico import\`. What has no equal stands in comments.`];
  if (services.some(({ service, off }) => off === undefined && "user" in service)) {
    head.push("Run it as root: its services have users of their own.");
  }
  const live = services.filter(({ off }) => off === undefined);
  const blocks = services.map((one) => {
    const { name, file, line, service, remarks, off } = one;
    const text = `${JSON.stringify(name)}: ${JSON.stringify(service, null, 2)}`;
    const comma = off !== undefined || one !== live.at(-1) ? "," : "";
    return [
      `// ${file}:${line}`,
      ...(off === undefined ? [] : [`// Off: ${off}.`]),
      ...remarks.map((remark) => `// ${remark}.`),
      ...`${text}${comma}`.split("\n").map((row) => off === undefined ? row : `// ${row}`),
    ].map((row) => `    ${row}`).join("\n");
  });
  const comments = head.map((row) => `// ${row}\n`).join("");
  return `${comments}{\n  "services": {\n${blocks.join("\n\n")}\n  }\n}\n`;
}
