/**
 * A line comes back; after `pour` there is no end of bytes, as fast as they go: by the runtime alone, as
 * its documents have it. One file for all of them: `bench/slow-clients.ts` starts it.
 */
/** What of the text that goes out has not gone yet. */
interface State {
  rest: Uint8Array | undefined;
  pours: boolean;
}

const TEXT = "x".repeat(65_536);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const tell = (port: number): void =>
  console.log(JSON.stringify({ event: "listening", endpoint: `:${port}` }));

if (typeof Deno !== "undefined") {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  tell(listener.addr.port);
  for await (const conn of listener) {
    conn.setNoDelay(true);
    void serve(conn).catch(() => {}).finally(() => {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    });
  }
} else if (typeof Bun !== "undefined") {
  const listener = Bun.listen<State>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket: Bun.Socket<State>) {
        socket.data = { rest: undefined, pours: false };
      },
      data(socket: Bun.Socket<State>, chunk: Uint8Array) {
        const text = decoder.decode(chunk);
        socket.data.pours = text.startsWith("pour");
        if (socket.data.pours) pour(socket);
        else socket.write(text);
      },
      drain(socket: Bun.Socket<State>) {
        if (socket.data.pours) pour(socket);
      },
      error() {},
    },
  });
  tell(listener.port);
} else {
  const { createServer } = await import("node:net");
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const text = String(chunk);
      if (!text.startsWith("pour")) return void socket.write(text);
      const pour = (): void => {
        while (socket.write(encoder.encode(TEXT)));
      };
      socket.on("drain", pour);
      pour();
    });
  });
  server.listen(0, "127.0.0.1", () => tell((server.address() as { port: number }).port));
}

async function serve(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (;;) {
    const length = await conn.read(buffer);
    if (length === null) return;
    const text = decoder.decode(buffer.subarray(0, length));
    if (!text.startsWith("pour")) await writeAll(conn, encoder.encode(text));
    else for (;;) await writeAll(conn, encoder.encode(TEXT));
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function pour(socket: Bun.Socket<State>): void {
  for (;;) {
    const bytes = socket.data.rest ?? encoder.encode(TEXT);
    const taken = socket.write(bytes);
    if (taken < 0) return;
    socket.data.rest = taken < bytes.length ? bytes.subarray(taken) : undefined;
    if (socket.data.rest !== undefined) return;
  }
}
