/** Listens on an address, and prints what Node has loaded for it. A program of its own. */
import process from "node:process";
import { loadAdapter } from "../../adapters/mod.ts";
import { NOBODY } from "./nobody.ts";

const { listen } = await loadAdapter();
const listener = await listen({ transport: "tcp", host: "127.0.0.1", port: 0 }, NOBODY, {});
const { moduleLoadList: modules } = process as unknown as { moduleLoadList: readonly string[] };
console.log(JSON.stringify({ modules, port: listener.address.port }));
await listener.close();
