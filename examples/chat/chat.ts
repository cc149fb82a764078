import { definePlugin } from "portico";
import type { Session } from "portico";
import * as v from "valibot";

/** Who is in a room, and the name they go by. */
interface Guest {
  nick: string;
  room: string;
}

const NICK = /^[\p{L}\p{N}_-]{1,16}$/u;
const HELP = "/nick NAME · /join ROOM · /who · /quit; anything else is said to the room";

/**
 * A chat over lines of text. State of the service (the rooms) is closed over by `start`, state of
 * one session is `session.state`. A guest who reads too slowly does not hold up the others: its
 * backlog is bounded by `limits.writeBuffer`.
 */
export default definePlugin({
  name: "chat",
  transports: ["stream"],
  options: v.strictObject({ lobby: v.optional(v.string(), "lobby") }),
  start: ({ options }) => {
    const rooms = new Map<string, Set<Session<Guest>>>();

    const tell = (room: string, text: string, except?: Session<Guest>): void => {
      for (const guest of rooms.get(room) ?? []) {
        if (guest !== except) guest.write(`${text}\n`);
      }
    };
    const leave = (session: Session<Guest>): void => {
      const { nick, room } = session.state;
      const guests = rooms.get(room);
      if (guests?.delete(session) !== true) return;
      if (guests.size === 0) rooms.delete(room);
      tell(room, `* ${nick} has left`);
    };
    const enter = (session: Session<Guest>, room: string): void => {
      session.state.room = room;
      const guests = rooms.get(room) ?? new Set();
      rooms.set(room, guests.add(session));
      tell(room, `* ${session.state.nick} has joined`, session);
      session.write(`* you are in ${room}, with ${guests.size - 1} others\n`);
    };
    const names = (): Set<string> =>
      new Set([...rooms.values()].flatMap((guests) => [...guests].map(({ state }) => state.nick)));

    const commands: Record<string, (session: Session<Guest>, argument: string) => void> = {
      nick(session, nick) {
        if (!NICK.test(nick)) session.write("! a nickname has 1 to 16 letters or digits\n");
        else if (names().has(nick)) session.write(`! ${nick} is taken\n`);
        else {
          tell(session.state.room, `* ${session.state.nick} is now ${nick}`);
          session.state.nick = nick;
        }
      },
      join(session, room) {
        if (!NICK.test(room)) return void session.write("! a room has 1 to 16 letters or digits\n");
        leave(session);
        enter(session, room);
      },
      who(session) {
        const guests = [...rooms.get(session.state.room) ?? []];
        session.write(`* ${guests.map(({ state }) => state.nick).join(", ")}\n`);
      },
      quit: (session) => session.end(),
      help: (session) => void session.write(`* ${HELP}\n`),
    };

    return {
      setup: (session) => ({ nick: `guest${session.id}`, room: options.lobby }),
      async handle(session) {
        session.write(`* welcome, ${session.state.nick}. ${HELP}\n`);
        enter(session, options.lobby);
        for await (const line of session.lines(1024)) {
          const [, name, argument] = /^\/(\w+)\s*(.*)$/.exec(line) ?? [];
          if (name === undefined) {
            tell(session.state.room, `${session.state.nick}: ${line}`, session);
          } else if (commands[name] === undefined) session.write(`! ${HELP}\n`);
          else commands[name](session, argument!.trim());
          if (name === "quit") return;
        }
      },
      finish: leave,
    };
  },
});
