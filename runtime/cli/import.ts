import { writeFileSync } from "node:fs";
import { importServices, manifestOf, renderManifest } from "../convert/mod.ts";
import { PorticoError, toPorticoError } from "../core/errors.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printError, printJson } from "../terminal/output.ts";

/**
 * Makes a manifest of what inetd or xinetd reads, and tells how much of it has an equal.
 *
 * @returns 0, also when nothing has.
 * @throws PorticoError CONFIG_UNREADABLE, with file and line; EEXIST where `to` is a file that is there.
 */
export async function importManifest({ file, to, json }: CallOf<"import">): Promise<number> {
  const services = importServices(file);
  const text = json
    ? `${JSON.stringify(manifestOf(services), null, 2)}\n`
    : renderManifest(services, file);
  if (to !== undefined) write(to, text);
  const off = services.filter((one) => one.off !== undefined);
  if (json) {
    const remarks = services.flatMap(({ name, file, line, remarks, off }) =>
      [...off === undefined ? [] : [`off: ${off}`], ...remarks]
        .map((text) => ({ service: name, file, line, text }))
    );
    await printJson({ ...(to === undefined ? manifestOf(services) : { to }), remarks });
    return 0;
  }
  if (to === undefined) await print(text);
  const remarks = services.reduce((sum, one) => sum + one.remarks.length, 0);
  await printError(
    `${services.length} services: ${
      services.length - off.length
    } in the manifest, ${off.length} as comments in it; ${remarks} remarks\n`,
  );
  return 0;
}

/** Never over what is there. */
function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (thrown) {
    const { code, message } = toPorticoError(thrown, "CONFIG_UNREADABLE");
    throw new PorticoError(code, `a new file at ${path}: ${message}`);
  }
}
