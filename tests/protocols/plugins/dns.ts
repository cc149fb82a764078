import { definePlugin, lengthPrefixed } from "portico";
import * as v from "valibot";

/** Over TCP a message comes after its length: RFC 1035, section 4.2.2. */
const framing = lengthPrefixed(2);
/** What a resolver takes over UDP that says nothing else. */
const UDP_MAX = 512;

const TYPE = { A: 1, TXT: 16 } as const;

/** Answers for A and TXT records of one zone. */
export default definePlugin({
  name: "dns",
  transports: ["stream", "datagram"],
  options: v.strictObject({
    zone: v.record(
      v.string(),
      v.object({ A: v.optional(v.string()), TXT: v.optional(v.string()) }),
    ),
  }),
  start: ({ options: { zone } }) => {
    function answer(query: Uint8Array, max: number): Uint8Array | undefined {
      // The header has 12 bytes; who sends an answer is not answered.
      if (query.length < 12 || (query[2]! & 0x80) !== 0) return undefined;
      const labels: string[] = [];
      let at = 12;
      for (let length = query[at]; length !== undefined && length > 0; length = query[at]) {
        labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
        at += 1 + length;
      }
      const end = at + 5;
      if (end > query.length) return undefined;
      const type = query[at + 1]! * 256 + query[at + 2]!;
      const found = zone[labels.join(".").toLowerCase()];
      const data = found === undefined ? undefined : dataOf(found, type);
      const record = data === undefined ? 0 : 12 + data.length;
      const fits = end + record <= max;
      const message = new Uint8Array(end + (fits ? record : 0));
      message.set(query.subarray(0, end));
      // An answer, authoritative, cut (TC) or not; the wish for recursion is kept.
      message[2] = 0x84 | (fits ? 0 : 2) | (query[2]! & 1);
      message[3] = found === undefined ? 3 : 0;
      message.set([0, 1, 0, fits && data !== undefined ? 1 : 0, 0, 0, 0, 0], 4);
      if (fits && data !== undefined) {
        message.set(
          [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255],
          end,
        );
        message.set(data, end + 12);
      }
      return message;
    }
    return {
      datagram(session, query) {
        const message = answer(query, UDP_MAX);
        if (message !== undefined) session.write(message);
      },
      async handle(session) {
        for await (const query of session.frames(framing)) {
          const message = answer(query, 65535);
          if (message !== undefined) await session.send(framing.encode(message));
        }
      },
    };
  },
});

function dataOf(found: { A?: string | undefined; TXT?: string | undefined }, type: number) {
  if (type === TYPE.A && found.A !== undefined) return Uint8Array.from(found.A.split("."), Number);
  if (type !== TYPE.TXT || found.TXT === undefined) return undefined;
  // Character strings of up to 255 bytes each.
  const text = new TextEncoder().encode(found.TXT);
  const parts: number[] = [];
  for (let at = 0; at < text.length; at += 255) {
    const part = text.subarray(at, at + 255);
    parts.push(part.length, ...part);
  }
  return new Uint8Array(parts);
}
