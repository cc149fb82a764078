/** A thread of a single executable application of Node. */
import type { ThreadStart } from "../../runtime/core/process.ts";

/** The module that an executable begins with, in the file system that it has inside. */
export const ENTRY = "main.mjs";

/** That file system is the main thread's alone: a thread makes one of its own, of the same files. */
const CODE = `
const { dirname } = require("node:path");
const { getAssetKeys, getRawAsset } = require("node:sea");
const { pathToFileURL } = require("node:url");
const files = require("node:vfs").create();
const root = files.mount();
for (const key of getAssetKeys()) {
  files.mkdirSync(dirname(root + "/" + key), { recursive: true });
  files.writeFileSync(root + "/" + key, Buffer.from(getRawAsset(key)));
}
import(pathToFileURL(root + "/${ENTRY}").href);
`;

/** See {@link Adapter.thread}. */
export function threadOfExecutable(): ThreadStart {
  return { code: CODE, flags: ["--experimental-vfs", "--disable-warning=ExperimentalWarning"] };
}
