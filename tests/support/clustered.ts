/** Two processes of a cluster listen on any port, and tell on which. A program of its own, which prints both. */
import cluster from "node:cluster";
import { once } from "node:events";
import process from "node:process";
import { loadAdapter } from "../../adapters/mod.ts";
import { NOBODY } from "./nobody.ts";

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  const told = await Promise.all(workers.map((worker) => once(worker, "message")));
  console.log(JSON.stringify(told.map(([port]) => port)));
  for (const worker of workers) worker.send("end");
} else {
  const { listen } = await loadAdapter();
  const listener = await listen({ transport: "tcp", host: "127.0.0.1", port: 0 }, NOBODY, {});
  process.send!(listener.address.port);
  await once(process, "message");
  await listener.close();
  process.disconnect!();
}
