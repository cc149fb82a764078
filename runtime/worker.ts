/** The module that a worker begins with. */
import * as module from "node:module";

// Compiled code is kept between starts where the runtime can: `spawn` starts a worker for each session.
module.enableCompileCache?.();
await import("./workers/main.ts");
