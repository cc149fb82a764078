/** Two processes of a cluster listen on any port, and tell on which. A program of its own, which prints both. */
import cluster from "node:cluster";
import { once } from "node:events";
import process from "node:process";
import { loadAdapter } from "../../adapters/mod.ts";
import { NOBODY } from "./nobody.ts";

if (cluster.isPrimary) {
  const ports: unknown[] = [];
  const workers = [cluster.fork(), cluster.fork()];
  for (const worker of workers) ports.push((await once(worker, "message"))[0]);
  console.log(JSON.stringify(ports));
  for (const worker of workers) worker.send("end");
} else {
  const { listen } = await loadAdapter();
  const listener = await listen({ transport: "tcp", host: "127.0.0.1", port: 0 }, NOBODY, {});
  process.send!(listener.address.port);
  await once(process, "message");
  await listener.close();
  process.disconnect!();
}
