import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Queue } from "../../runtime/sinks/queue.ts";
import { Random } from "./random.ts";

describe("Queue", () => {
  for (const overflow of ["oldest", "newest"] as const) {
    test(`Queue keeps its bounds and drops the ${overflow}, as a list would that is always searched`, () => {
      const random = new Random(11);
      const bounds = { records: 20, bytes: 300, overflow };
      const queue = new Queue(bounds);
      let model: Uint8Array[] = [];
      const trim = (): number => {
        let lost = 0;
        const bytes = (): number => model.reduce((sum, { length }) => sum + length, 0);
        while (model.length > bounds.records || bytes() > bounds.bytes) {
          model = overflow === "oldest" ? model.slice(1) : model.slice(0, -1);
          lost++;
        }
        return lost;
      };
      for (let round = 0; round < 20_000; round++) {
        const what = random.below(10);
        const frame = new Uint8Array(random.below(40) + (random.below(200) === 0 ? 300 : 0));
        if (what < 5) {
          model.push(frame);
          assert.equal(queue.push(frame), trim());
        } else if (what < 9) {
          assert.equal(queue.peek(), model[0]);
          queue.shift();
          model = model.slice(1);
        } else {
          const back = [frame, new Uint8Array(3)];
          model = [...back, ...model];
          assert.equal(queue.unshift(back), trim());
        }
        assert.equal(queue.length, model.length);
        assert.equal(queue.peek(), model[0]);
      }
    });
  }
});
