import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { everyWay } from "portico/testing";
import echo from "../../plugins/echo.ts";

describe("everyWay", () => {
  test("echo holds over every transport, in every split, under every strategy", async () => {
    await everyWay(echo, [{ send: "hello\n", expect: "HELLO\n" }], { options: { upper: true } });
    await everyWay(echo, [{ send: "wor" }, { send: "ld\n", expect: "world\n", end: true }], {
      transport: ["tcp", "unix"],
    });
  });

  test("a plugin that takes a chunk for a line is found out, with the split", async () => {
    const naive = definePlugin({
      name: "naive",
      transports: ["stream"],
      start: () => ({ data: (session, chunk) => void session.write(`<${chunk.length}>`) }),
    });
    await assert.rejects(
      everyWay(naive, [{ send: "hello\n", expect: "<6>" }]),
      /over tcp, strategy serial, byte by byte:\n[\s\S]*received {2}"<1>/,
    );
  });

  test("state that leaks from one session to another is found out", async () => {
    const leaking = definePlugin({
      name: "leaking",
      transports: ["stream"],
      start: () => {
        let line = "";
        return {
          data(session, chunk) {
            line += new TextDecoder().decode(chunk);
            if (!line.endsWith("\n")) return;
            session.write(line);
            line = "";
          },
        };
      },
    });
    await assert.rejects(
      everyWay(leaking, [{ send: "hello\n", expect: "hello\n" }]),
      /two sessions at once[\s\S]*session\.state/,
    );
    const counting = definePlugin({
      name: "counting",
      transports: ["stream"],
      start: () => {
        let count = 0;
        return { data: (session) => void session.write(`${++count}`) };
      },
    });
    await assert.rejects(everyWay(counting, [{ send: "x", expect: "1" }]), /in a second session/);
  });
});
