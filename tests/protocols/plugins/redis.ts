import { type Codec, definePlugin, Framer, PorticoError, type Session } from "portico";
import * as v from "valibot";

const MAX = 1024 * 1024;
const decoder = new TextDecoder();
const broken = (why: string): PorticoError =>
  new PorticoError("PROTOCOL_ERROR", `Protocol error: ${why}`);

/** Where the parser of the one command that is looked at is. */
let at = 0;

/** The number up to CRLF; undefined while the line is not whole. */
function number(bytes: Uint8Array): number | undefined {
  const end = bytes.indexOf(10, at);
  if (end < 0) return undefined;
  let value = 0;
  for (let i = at; i < end - 1; i++) value = value * 10 + bytes[i]! - 48;
  if (!(value >= 0 && value <= MAX)) throw broken("invalid length");
  at = end + 1;
  return value;
}

/** A command of RESP: an array of bulk strings, or words on a line. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const resp: Codec<string[]> = {
  next(bytes, from) {
    if (bytes[0] !== 0x2a) {
      const end = bytes.indexOf(10, from);
      if (end < 0 && bytes.length < MAX) return bytes.length + 1;
      if (end < 0) throw broken("too big inline request");
      return { value: decoder.decode(bytes.subarray(0, end)).trim().split(/\s+/), next: end + 1 };
    }
    at = 1;
    const count = number(bytes);
    if (count === undefined) return bytes.length + 1;
    const words: string[] = [];
    for (let i = 0; i < count; i++) {
      if (at >= bytes.length) return at + 1;
      if (bytes[at++] !== 0x24) throw broken("expected '$'");
      const length = number(bytes);
      if (length === undefined) return bytes.length + 1;
      if (bytes.length < at + length + 2) return at + length + 2;
      words.push(decoder.decode(bytes.subarray(at, at + length)));
      at += length + 2;
    }
    return { value: words, next: at };
  },
};

/** One command by lines and bytes, without a codec. */
async function readCommand(session: Session<unknown>): Promise<string[] | undefined> {
  const head = await session.readUntil("\r\n");
  if (head === undefined) return undefined;
  if (head[0] !== 0x2a) return decoder.decode(head).split(" ");
  const words: string[] = [];
  for (let left = Number(decoder.decode(head.subarray(1))); left > 0; left--) {
    const size = await session.readUntil("\r\n");
    if (size?.[0] !== 0x24) throw broken("expected '$'");
    const word = await session.readExactly(Number(decoder.decode(size.subarray(1))) + 2);
    words.push(decoder.decode(word.subarray(0, -2)));
  }
  return words;
}

/** A store of texts in memory: PING, ECHO, SET, GET, DEL, INCR, QUIT. Its state is one: `scope`. */
export default definePlugin({
  name: "redis",
  transports: ["stream"],
  scope: "service",
  options: v.strictObject({
    form: v.optional(v.picklist(["push", "frames", "readUntil"]), "push"),
  }),
  start: ({ options: { form } }) => {
    const store = new Map<string, string>();
    const bulk = (text: string | undefined): string =>
      text === undefined ? "$-1\r\n" : `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
    const commands: Readonly<Record<string, (...words: string[]) => string>> = {
      PING: (text) => text === undefined ? "+PONG\r\n" : bulk(text),
      ECHO: (text) => bulk(text),
      GET: (key) => bulk(store.get(key!)),
      SET(key, value) {
        store.set(key!, value!);
        return "+OK\r\n";
      },
      DEL: (...keys) => `:${keys.filter((key) => store.delete(key)).length}\r\n`,
      INCR(key) {
        const value = Number(store.get(key!) ?? 0) + 1;
        if (!Number.isSafeInteger(value)) return "-ERR value is not an integer\r\n";
        store.set(key!, String(value));
        return `:${value}\r\n`;
      },
    };
    function run(session: Session<unknown>, [name = "", ...words]: string[]): void {
      const command = commands[name] ?? commands[name.toUpperCase()];
      if (command !== undefined) session.write(command(...words));
      else if (name.toUpperCase() === "QUIT") session.end();
      else session.write(`-ERR unknown command '${name}'\r\n`);
    }
    const failed = (session: Session<unknown>, thrown: unknown): void => {
      session.write(`-ERR ${(thrown as Error).message}\r\n`);
      throw thrown;
    };
    if (form === "push") {
      return {
        setup: (_session) => new Framer(resp),
        data(session, chunk) {
          for (const command of session.state.push(chunk)) run(session, command);
        },
        error: (session, thrown) => failed(session, thrown),
      };
    }
    return {
      async handle(session) {
        if (form === "frames") {
          for await (const command of session.frames(resp)) run(session, command);
        } else {
          for (let command; (command = await readCommand(session)) !== undefined;) {
            run(session, command);
          }
        }
      },
      error: failed,
    };
  },
});
