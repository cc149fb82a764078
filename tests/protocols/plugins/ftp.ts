import { open, readdir, stat } from "node:fs/promises";
import { join, posix, resolve } from "node:path";
import { defineHooks, definePlugin, lines, PorticoError, type Session } from "portico";
import * as v from "valibot";

/** RFC 959 and 2428 in their least form: passive and active, LIST, NLST, RETR, STOR. Everybody may do everything. */
export default definePlugin({
  name: "ftp",
  transports: ["stream"],
  options: v.strictObject({
    root: v.string(),
    /** Of passive mode: `30000-30009`. */
    ports: v.optional(v.string(), "0"),
    timeout: v.optional(v.string(), "5m"),
  }),
  start: ({ options, folder, connect, listen }) =>
    defineHooks({
      setup: () => ({
        cwd: "/",
        /** The connection of the next transfer: how to have it, and how to be rid of it. */
        data: undefined as { open(): Promise<Session>; drop(): void } | undefined,
        leaving: new AbortController(),
      }),
      async handle(session) {
        const { state, local, remote } = session;
        const line = lines(4096);
        const reply = (text: string): Promise<void> => session.send(`${text}\r\n`);
        const inside = (path: string): string => posix.resolve(state.cwd, path);
        const onDisk = (path: string): string => join(resolve(folder, options.root), inside(path));

        function drop(): void {
          state.data?.drop();
          state.data = undefined;
        }
        async function passive(): Promise<number> {
          drop();
          const host = local.host.includes(":") ? `[${local.host}]` : local.host;
          const listening = await listen(`tcp://${host}:${options.ports}`, undefined, {
            once: true,
            from: remote,
            timeout: "10s",
          });
          state.data = {
            open: () => listening.accepted,
            drop() {
              void listening.close();
              listening.accepted.then((session) => session.abort(), () => {});
            },
          };
          return listening.address.port;
        }
        /** Nobody but the client itself is connected to: no bounces. */
        function active(host: string, port: number): Promise<void> {
          if (host !== remote.host) return reply("501 That is somebody else");
          drop();
          const place = `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
          state.data = { open: () => connect(place), drop() {} };
          return reply("200 OK");
        }
        async function transfer(work: (data: Session) => Promise<void>): Promise<void> {
          const { data } = state;
          state.data = undefined;
          if (data === undefined) return await reply("425 PASV or PORT first");
          await reply("150 Here it comes");
          let connection: Session | undefined;
          try {
            connection = await data.open();
            await work(connection);
            connection.end();
            // What was sent has arrived when the client has ended, too.
            const { reason } = await connection.closed;
            await reply(reason === "reset" ? "426 It was cut" : "226 Done");
          } catch (error) {
            connection?.abort();
            const code = connection === undefined ? 425 : 426;
            await reply(`${code} ${(error as Error).message}`);
          }
        }
        const list = async (path: string, entry: (name: string) => Promise<string>) => {
          const names = await readdir(onDisk(path));
          await transfer(async (data) => {
            for (const name of names.sort()) await data.send(`${await entry(name)}\r\n`);
          });
        };

        const commands: Readonly<Record<string, (argument: string) => unknown>> = {
          USER: () => reply("331 Any password"),
          PASS: () => reply("230 Welcome"),
          SYST: () => reply("215 UNIX Type: L8"),
          TYPE: () => reply("200 OK"),
          NOOP: () => reply("200 OK"),
          PWD: () => reply(`257 "${state.cwd}"`),
          async CWD(path) {
            if (!(await stat(onDisk(path))).isDirectory()) return await reply("550 No folder");
            state.cwd = inside(path);
            await reply("250 OK");
          },
          SIZE: async (path) => await reply(`213 ${(await stat(onDisk(path))).size}`),
          EPSV: async () => await reply(`229 Passive (|||${await passive()}|)`),
          async PASV() {
            const port = await passive();
            const place = [...local.host.split("."), port >> 8, port & 255];
            await reply(`227 Passive (${place.join(",")})`);
          },
          PORT(argument) {
            const [a, b, c, d, high, low] = argument.split(",").map(Number);
            return active([a, b, c, d].join("."), high! * 256 + low!);
          },
          EPRT(argument) {
            const [, , host, port] = argument.split(argument[0] ?? "|");
            return active(host ?? "", Number(port));
          },
          NLST: (path) => list(path, (name) => Promise.resolve(name)),
          LIST: (path) =>
            list(/^-/.test(path) ? "" : path, async (name) => {
              const found = await stat(join(onDisk(path), name));
              const kind = found.isDirectory() ? "d" : "-";
              return `${kind}rw-r--r-- 1 ftp ftp ${found.size} Jan 01 00:00 ${name}`;
            }),
          async RETR(path) {
            await using file = await open(onDisk(path));
            await transfer(async (data) => {
              for await (const chunk of file.createReadStream()) await data.send(chunk);
            });
          },
          async STOR(path) {
            await using file = await open(onDisk(path), "w");
            await transfer(async (data) => {
              for await (const chunk of data) await file.write(chunk);
            });
          },
        };

        const read = (): Promise<string | undefined> =>
          session.read(line, { timeout: options.timeout, signal: state.leaving.signal });
        await reply("220 Portico");
        for (let text = await read(); text !== undefined; text = await read()) {
          const [name = "", argument = ""] = text.split(/ +(.*)/);
          if (/^quit$/i.test(name)) return await reply("221 Bye");
          try {
            await (commands[name.toUpperCase()] ?? (() => reply("502 Unknown")))(argument);
          } catch (error) {
            if ((error as PorticoError).code === "SESSION_CLOSED") throw error;
            drop();
            await reply(`550 ${(error as Error).message}`);
          }
        }
      },
      /** Who had come for a transfer that is none does not stay. */
      finish: ({ state }) => state.data?.drop(),
      /** A transfer goes on to its end; who waits for its next command is told. */
      retire: ({ state }) => state.leaving.abort(new Error("421 Shutting down")),
      error(session, error) {
        const { message, code } = error as PorticoError;
        if (message.startsWith("421") || code === "ETIMEDOUT") {
          session.write(code === "ETIMEDOUT" ? "421 Timeout\r\n" : `${message}\r\n`);
        } else throw error;
      },
    }),
});
