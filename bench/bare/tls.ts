/** `node:tls` by itself, which does what the plugin of `tls.ts` does, `node:net` without files: `node bench/bare/tls.ts [CERT KEY]`. */
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer as createClearServer, type Socket } from "node:net";
import process from "node:process";
import { createServer } from "node:tls";

const [cert, key] = process.argv.slice(2).map((file) => readFileSync(file, "utf8"));
const BLOCK = new Uint8Array(65536).fill(7);

function serve(socket: Socket): void {
  let left = 0;
  const pump = (): void => {
    while (left > 0) {
      left -= BLOCK.length;
      if (!socket.write(BLOCK)) return void socket.once("drain", pump);
    }
    socket.end();
  };
  let first = true;
  socket.on("error", () => {});
  socket.on("data", (chunk: Uint8Array) => {
    if (first && chunk[0] === 68) {
      left = Number(new TextDecoder().decode(chunk.subarray(1)));
      pump();
    } else if (first && chunk[0] === 71) socket.end("ok");
    else if (chunk.at(-1) === 33) socket.write("done");
    first = false;
  });
}

const server = cert === undefined
  ? createClearServer({ noDelay: true }, serve)
  : createServer({ cert, key, noDelay: true }, serve);
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ event: "ready", port: (server.address() as AddressInfo).port }));
});
