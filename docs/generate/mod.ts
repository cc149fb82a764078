/**
 * Writes docs/reference/: `node docs/generate/mod.ts` (`npm run docs:generate`). A test fails when a page
 * is stale. What depends on runtime and machine, socket options, is asked of all three runtimes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { apiPage } from "./api.ts";
import { commandsPage } from "./commands.ts";
import { examplesPage } from "./examples.ts";
import { errorsPage, metricsPage, recordsPage } from "./tables.ts";
import { manifestPage } from "./manifest.ts";
import { pluginsPage } from "./plugins.ts";

const FROM =
  "from it, made of its doc comments. Members that are `readonly` are not marked so here.";
const API = `What plugins and manifests import ${FROM.replace("it", "`portico`")}`;

/** Each page by its name in docs/reference, as it has to be. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = {
    manifest: manifestPage(),
    plugins: pluginsPage(),
    records: recordsPage(),
    errors: errorsPage(),
    metrics: metricsPage(),
    commands: commandsPage(),
    examples: examplesPage(),
    api: apiPage("runtime/mod.ts", "The plugin API", API),
    "api-testing": apiPage("testing/mod.ts", "portico/testing", `What tests import ${FROM}`),
    "api-embed": apiPage("runtime/embed/mod.ts", "portico/embed", `What programs import ${FROM}`),
  };
  const note = "<!-- Made by `npm run docs:generate`. -->";
  return new Map(
    Object.entries(pages).map(([name, text]) => [`${name}.md`, `${note}\n\n${text.trim()}\n`]),
  );
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL("../reference/", import.meta.url).href);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of referencePages()) writeFileSync(`${folder}${name}`, text);
  const { socketOptionsPage } = await import("./socket-options.ts");
  writeFileSync(`${folder}socket-options.md`, socketOptionsPage());
}
