import { type Address, definePlugin, pipe, PorticoError, type Session } from "portico";

/** What a reply says, by what `connect` rejects with: RFC 1928, section 6. */
const REPLIES: Readonly<Record<string, number>> = {
  ECONNREFUSED: 5,
  EHOSTUNREACH: 4,
  ENOTFOUND: 4,
  ETIMEDOUT: 4,
  ENETUNREACH: 3,
};

/** SOCKS5 without authentication: CONNECT, and BIND for peers of IPv4. */
export default definePlugin({
  name: "socks",
  transports: ["stream"],
  start: ({ connect, listen }) => ({
    async handle(session) {
      session.deadline("10s");
      const [version, methods] = await session.readExactly(2);
      if (version !== 5) return;
      const offered = await session.readExactly(methods!);
      if (!offered.includes(0)) return await session.send(new Uint8Array([5, 255]));
      await session.send(new Uint8Array([5, 0]));

      const [, command, , type] = await session.readExactly(4);
      const host = await readHost(session, type!);
      const [high, low] = await session.readExactly(2);
      if (host === undefined) return await session.send(reply(8));
      if (command !== 1 && command !== 2) return await session.send(reply(7));
      let upstream: Session;
      try {
        if (command === 1) upstream = await connect(`tcp://${host}:${high! * 256 + low!}`);
        else {
          const once = { once: true, from: host, timeout: "10s" } as const;
          const { address, accepted } = await listen(
            `tcp://${session.local.host}:0`,
            undefined,
            once,
          );
          session.deadline("20s");
          await session.send(reply(0, address));
          upstream = await accepted;
        }
      } catch (error) {
        return await session.send(reply(REPLIES[(error as PorticoError).code] ?? 1));
      }
      session.deadline(Infinity);
      session.write(reply(0, command === 2 ? upstream.remote : undefined));
      await pipe(session, upstream);
    },
  }),
});

async function readHost(session: Session, type: number): Promise<string | undefined> {
  if (type === 1) return (await session.readExactly(4)).join(".");
  if (type === 3) {
    const [length] = await session.readExactly(1);
    return new TextDecoder().decode(await session.readExactly(length!));
  }
  if (type !== 4) return undefined;
  const bytes = await session.readExactly(16);
  const words = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!);
  return `[${words.map((word) => word.toString(16)).join(":")}]`;
}

/** With an address of IPv4, or none: nobody looks at where the proxy has connected from. */
function reply(code: number, { host, port }: Partial<Address> = {}): Uint8Array {
  return new Uint8Array([
    ...[5, code, 0, 1],
    ...(host ?? "0.0.0.0").split(".").map(Number),
    ...[(port ?? 0) >> 8, (port ?? 0) & 255],
  ]);
}
