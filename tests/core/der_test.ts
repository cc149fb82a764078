/** Elements of DER: what is written is what openssl(1) reads, and what was cut off is told of. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import {
  contextTag,
  element,
  elementAt,
  objectId,
  partsOf,
  readObjectId,
  TAG,
} from "../../runtime/core/der.ts";
import { lackingPrograms } from "../support/packages.ts";

describe("DER", () => {
  test("elements of every length come back as they were written", () => {
    for (const size of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const contents = new Uint8Array(size).fill(7);
      const written = element(TAG.octetString, contents.subarray(0, 1), contents.subarray(1));
      const read = elementAt(written, 0);
      assert.deepEqual([read.tag, read.bytes.length, read.end], [4, size, written.length]);
      assert.ok(read.bytes.every((byte) => byte === 7));
    }
  });

  test("object identifiers come back as they were written", () => {
    for (
      const text of ["2.5.4.3", "1.2.840.10045.4.3.2", "0.9.2342.19200300.100.1.25", "2.999.1"]
    ) {
      assert.equal(readObjectId(elementAt(objectId(text), 0).bytes), text);
    }
  });

  test("an element that is cut off anywhere is told of", () => {
    const whole = element(TAG.sequence, objectId("2.5.4.3"), element(contextTag(3, true)));
    assert.deepEqual(partsOf(elementAt(whole, 0).bytes).map(({ tag }) => tag), [6, 0xa3]);
    for (let end = 0; end < whole.length; end++) {
      assert.throws(() => elementAt(whole.subarray(0, end), 0), RangeError);
    }
  });

  test("another library reads it", { skip: lackingPrograms("openssl") }, () => {
    const input = element(
      TAG.sequence,
      objectId("1.2.840.113549.1.9.1"),
      element(contextTag(0, true), element(TAG.integer, Uint8Array.of(2))),
      element(TAG.octetString, new Uint8Array(300)),
    );
    const out = execFileSync("openssl", ["asn1parse", "-inform", "DER"], { input }).toString();
    const lines = out.trim().split("\n").map((line) => line.replace(/^.*(?:prim|cons): */, ""));
    assert.deepEqual(lines.map((line) => line.replace(/:0+$/, ":00").trim()), [
      "SEQUENCE",
      "OBJECT            :emailAddress",
      "cont [ 0 ]",
      "INTEGER           :02",
      "OCTET STRING      [HEX DUMP]:00",
    ]);
  });
});
