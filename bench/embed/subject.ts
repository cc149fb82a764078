/** A program with an echo server, which times its start and weighs itself: `subject.ts bare|source|package`. */
import { connect, createServer } from "node:net";
import process from "node:process";

/** Starts an echo server on a port of its own, by what the runtime has for it. */
async function bare(): Promise<number> {
  if ("Bun" in globalThis) {
    const socket = { data: (peer: Bun.Socket, bytes: Uint8Array) => void peer.write(bytes) };
    return Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
  }
  if ("Deno" in globalThis) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void (async () => {
      for await (const peer of listener) void peer.readable.pipeTo(peer.writable).catch(() => {});
    })();
    return listener.addr.port;
  }
  const server = createServer((peer) => void peer.pipe(peer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

/** Loads Portico, as it lies here or as `npm run build` has compiled it, and gives what starts such a server by it. */
async function portico(compiled: boolean): Promise<() => Promise<number>> {
  const file = (name: string): string =>
    new URL(compiled ? `../../dist/${name}.js` : `../../${name}.ts`, import.meta.url).href;
  const [{ serve }, { default: echo }] = await Promise.all([
    import(file("runtime/embed/mod")) as Promise<typeof import("../../runtime/embed/mod.ts")>,
    import(file("plugins/echo")) as Promise<typeof import("../../plugins/echo.ts")>,
  ]);
  return async () => {
    const services = { echo: { plugin: echo, listen: "tcp://127.0.0.1:0" } };
    return (await serve({ services })).address("echo").port;
  };
}

const begin = performance.now();
const side = process.argv[2];
const start = side === "bare" ? bare : await portico(side === "package");
const loaded = performance.now();
const port = await start();
const serves = performance.now();
await new Promise<void>((resolve, reject) => {
  const peer = connect(port, "127.0.0.1", () => peer.write("hello")).on("error", reject);
  peer.once("data", () => resolve(void peer.destroy()));
});
const echoed = performance.now();
for (let i = 0; i < 4; i++) {
  (globalThis as { gc?: () => void }).gc?.();
  if ("Bun" in globalThis) Bun.gc(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const rss = process.memoryUsage().rss / 2 ** 20;
console.log(JSON.stringify({
  load: loaded - begin,
  serve: serves - loaded,
  echo: echoed - loaded,
  rss,
}));
process.exit();
