/** One plugin for every transport: does what it is told in one line, and lets files decide what its hooks do. */
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as v from "valibot";
import { definePlugin, type Session } from "../../runtime/mod.ts";

/** What streams, datagrams and requests have in common. */
interface Talk {
  readonly id: number;
  readonly kind: string;
  readonly remote: unknown;
  readonly local: unknown;
  readonly signal: AbortSignal;
  readonly ruleOptions?: unknown;
  readonly via?: Session["via"];
  readonly tls?: Session["tls"];
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

export default definePlugin({
  name: "parity",
  transports: ["stream", "datagram", "http"],
  keepsChunks: false,
  options: v.strictObject({
    /** Where files say what to do, and where `trace` gets a line for each hook that has run. */
    folder: v.string(),
    /** A reload with another one is a change. */
    version: v.number(),
  }),
  start({ options: { folder, version } }) {
    const has = (name: string): boolean => existsSync(join(folder, name));
    const trace = (hook: string): void => appendFileSync(join(folder, "trace"), `${hook}\n`);

    /** Waits for a file; false when the session has to end before it is there. */
    async function comes(name: string, signal?: AbortSignal): Promise<boolean> {
      // At once: a server that ends waits for nobody who has been answered.
      const told = (): void => trace("told");
      signal?.addEventListener("abort", told, { once: true });
      try {
        while (!has(name)) {
          if (signal?.aborted === true) return false;
          await pause();
        }
        return true;
      } finally {
        signal?.removeEventListener("abort", told);
      }
    }

    /** The answer; undefined when there is none. A failure is thrown at once, or comes as a promise. */
    function obey(talk: Talk, line: string): string | undefined | Promise<string | undefined> {
      const [command = "", ...words] = line.split(" ");
      const word = words.join(" ");
      switch (command) {
        case "echo":
          return word;
        case "times":
          return "x".repeat(Number(word));
        case "bye":
          return "bye";
        case "deadline":
          return word;
        case "version":
          return `${version}`;
        case "who": {
          const { id, kind, remote, local, via } = talk;
          const way = via && { ...via, remote: String(via.remote), local: String(via.local) };
          return JSON.stringify({ id, kind, remote: `${remote}`, local: `${local}`, via: way });
        }
        case "tls":
          return JSON.stringify(talk.tls ?? null);
        case "GET":
        case "SSH-2.0-x":
        case "\0":
          // As those begin who are told apart by that.
          return line.trimEnd();
        case "options":
          return JSON.stringify(talk.ruleOptions ?? null);
        case "hold":
          // Says that it has the turn.
          writeFileSync(join(folder, `${word}.held`), "");
          return comes(word, talk.signal).then((came) => came ? word : undefined);
        case "throw":
          throw new Error("thrown on purpose");
        case "reject":
          return Promise.reject(new Error("rejected on purpose"));
        case "exit":
          process.exit(7);
      }
      throw new Error(`there is no command ${JSON.stringify(line)}`);
    }

    return {
      verify() {
        trace("verify");
        if (has("verify.throws")) throw new Error("verify throws on purpose");
        if (has("verify.rejects")) return Promise.reject(new Error("verify rejects on purpose"));
        if (has("verify.waits")) return comes("verify.goes");
        return !has("verify.refuses");
      },
      setup() {
        trace("setup");
        if (has("setup.throws")) throw new Error("setup throws on purpose");
        if (has("setup.rejects")) return Promise.reject(new Error("setup rejects on purpose"));
      },
      async handle(session) {
        trace("handle");
        for await (const line of session.lines()) {
          if (line === "abort") return session.abort();
          if (line === "starttls") {
            await session.send("go on\n");
            await session.startTls();
            continue;
          }
          if (line === "pour") { for (;;) await session.send("x".repeat(65536)); }
          if (line.startsWith("chunks ")) {
            let left = Number(line.slice("chunks ".length));
            for await (const chunk of session) {
              session.write(chunk);
              if ((left -= chunk.length) <= 0) break;
            }
            session.write("\n");
            continue;
          }
          if (line.startsWith("deadline ")) {
            session.deadline(line.slice("deadline ".length));
            void session.closed.then(({ reason }) => trace(`closed ${reason}`));
          }
          const answer = await obey(session, line);
          if (answer === undefined) return;
          await session.send(`${answer}\n`);
          if (line === "bye" || session.kind === "datagram") return;
        }
      },
      fetch(request, { session }) {
        trace("handle");
        const line = decodeURIComponent(new URL(request.url).pathname.slice(1));
        const respond = (answer: string | undefined): Response =>
          new Response(answer ?? null, { status: answer === undefined ? 503 : 200 });
        const answer = obey(session, line);
        return answer instanceof Promise ? answer.then(respond) : respond(answer);
      },
      retire(session) {
        trace("retire");
        if (!has("retire.ends")) return;
        session.write("goodbye\n");
        session.end();
      },
      finish() {
        trace("finish");
        if (has("finish.throws")) throw new Error("finish throws on purpose");
      },
    };
  },
});
