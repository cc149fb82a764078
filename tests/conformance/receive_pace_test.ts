/** How much is received with one call, and when it is worth to look for more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BATCH } from "../../adapters/posix/receive-batch.ts";
import { ReceivePace } from "../../adapters/posix/receive-pace.ts";

/** A burst that ends in vain. @returns whether it looked at all. */
function inVain(pace: ReceivePace): boolean {
  pace.begin();
  const looked = pace.again(1);
  while (pace.again(1));
  pace.end();
  return looked;
}

/** A burst of which a second look finds something. */
function worthIt(pace: ReceivePace): void {
  pace.begin();
  assert.equal(pace.again(1), true);
  pace.found();
  while (pace.again(1));
  pace.end();
}

test("each burst that ends takes half as much with a call, one without an end twice as much", () => {
  const pace = new ReceivePace();
  assert.equal(pace.size, BATCH);
  for (let i = 0; i < 10; i++) inVain(pace);
  assert.equal(pace.size, 4);
  for (let i = 0; i < 10; i++) {
    pace.begin();
    pace.cut();
  }
  assert.equal(pace.size, BATCH);
});

test("looks in vain are made ever more rarely, and again when they find something", () => {
  const pace = new ReceivePace();
  const looks = Array.from({ length: 1000 }, () => inVain(pace)).filter((looked) => looked).length;
  assert.ok(looks >= 7 && looks <= 20, `${looks} looks`);
  while (!inVain(pace));
  let bursts = 0;
  for (let found = 0; found < 8; bursts++) {
    pace.begin();
    if (!pace.again(1)) continue;
    pace.found();
    found++;
    while (pace.again(1));
    pace.end();
  }
  worthIt(pace);
  worthIt(pace);
  assert.ok(bursts < 300, `${bursts} bursts`);
});
