#!/usr/bin/env node
import * as module from "node:module";
import process from "node:process";
import { leaveRemovedFolder } from "./daemon/start-folder.ts";
import { tooOld } from "./engines.ts";

const reason = tooOld();
if (reason !== undefined) {
  process.stderr.write(reason);
  process.exit(1);
}
// Compiled code is kept between starts where the runtime can; it has to be asked before the rest is loaded.
module.enableCompileCache?.();
leaveRemovedFolder();
const { holdEngine, providePortico } = await import("./adapter.ts");
holdEngine();
await providePortico();
const { main } = await import("./cli/mod.ts");
// A plugin may have left a timer or a socket behind; what is written is out by now.
process.exit(await main(process.argv.slice(2)));
