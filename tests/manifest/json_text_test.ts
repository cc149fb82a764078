/** JSON with comments, as values with places; beside another reader of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Node as Tree, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { JsonFault, JsonText, type Node } from "../../runtime/manifest/json-text.ts";

const read = (text: string): Node => new JsonText(text, 100, "too deep", () => {}).read();

function faultOf(text: string): JsonFault | undefined {
  try {
    read(text);
    return undefined;
  } catch (fault) {
    if (fault instanceof JsonFault) return fault;
    throw fault;
  }
}

/** How each error of the other reader begins here. */
const SAID: Readonly<Record<string, string>> = {
  InvalidSymbol: "a value",
  PropertyNameExpected: "a key",
  ValueExpected: "a value",
  ColonExpected: "a colon",
  CommaExpected: "a comma",
  CloseBraceExpected: "a closing }",
  CloseBracketExpected: "a closing ]",
  EndOfFileExpected: "nothing after",
  UnexpectedEndOfComment: "*/",
  UnexpectedEndOfString: 'a closing "',
  UnexpectedEndOfNumber: "digits",
  InvalidUnicode: "four hex",
  InvalidEscapeCharacter: "one of",
  InvalidCharacter: "no control",
};

/** What texts are made of. */
const PIECES = [
  ...'{}[]:,"\\10-.e5/ \n\r\tx',
  ...['"a"', '"b\\n"', "\\u12", "\\u00e9", "E+", "true", "nul", "null", "//", "/*", "*/"],
  ...["\u00e9", "\u2028", "\u0001", '"k":', '"k":1,', "[1,2]", '{"z":{}}', "\\x", "-1.5e3"],
];
const WHOLE = [
  '{"services":{"echo":{"plugin":"echo","listen":["tcp://1",{"a":1}],},}, // x\n "d": [1,2.5e3,null,true] }',
  '[{"a":"b\\u0041\\n"},[[]],{}]',
];

/** Numbers below a bound, the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % below;
  };
}

function someText(next: (below: number) => number): string {
  const piece = (): string => PIECES[next(PIECES.length)]!;
  if (next(2) === 0) return Array.from({ length: 1 + next(14) }, piece).join("");
  let text = WHOLE[next(WHOLE.length)]!;
  for (let changes = 1 + next(3); changes > 0; changes--) {
    const at = next(text.length + 1);
    text = text.slice(0, at) + (next(3) > 0 ? piece() : "") + text.slice(at + next(3));
  }
  return text;
}

/** The same values at the same places. */
function same(node: Node, tree: Tree): void {
  assert.equal(node.offset, tree.offset);
  const inner = tree.type === "object" || tree.type === "array" ? tree.children! : undefined;
  if (inner === undefined) return assert.ok(Object.is(node.value, tree.value));
  const known = new Set<unknown>(["__proto__"]);
  for (const [index, child] of inner.entries()) {
    const [key, value = child] = child.children ?? [];
    const name = tree.type === "array" ? index : key!.value as string;
    if (known.has(name)) continue;
    known.add(name);
    const own = node.inner!.get(name)!;
    same(own, tree.type === "array" ? child : value);
    assert.equal(own.key, tree.type === "array" ? undefined : key!.offset);
    assert.equal((node.value as Record<string | number, unknown>)[name], own.value);
  }
  assert.equal(node.inner!.size, known.size - 1);
}

describe("JSON with comments", () => {
  test("has the values, the places and the first mistake that jsonc-parser finds", () => {
    const next = numbers(20_261_128);
    let good = 0;
    for (let count = 0; count < 20_000; count++) {
      const text = someText(next);
      const errors: ParseError[] = [];
      const tree = parseTree(text, errors, { allowTrailingComma: true });
      const [error] = errors;
      const fault = faultOf(text);
      if (error === undefined) {
        assert.equal(fault, undefined, text);
        same(read(text), tree!);
        good++;
        continue;
      }
      assert.ok(fault !== undefined, text);
      const said = SAID[printParseErrorCode(error.error)]!;
      assert.ok(fault.message.startsWith(said), `${JSON.stringify(text)}: ${fault.message}`);
      assert.equal(fault.offset, error.offset, text);
      const end = error.offset + Math.max(error.length, 1);
      assert.equal(
        text.slice(fault.offset, fault.offset + Math.max(fault.length, 1)),
        text.slice(error.offset, end),
      );
    }
    assert.ok(good > 1000 && good < 19_000, `${good} of them are right`);
  });

  test("tells of each key, with its path and what it had before", () => {
    const told: unknown[] = [];
    const text = '{"a": [{"b": 1, "b": 2}], "__proto__": {"c": 3}}';
    const { value } = new JsonText(text, 100, "too deep", (key, node, earlier, path) => {
      told.push([key, node.value, earlier?.value, path.join("."), node.key]);
    }).read();
    assert.deepEqual(told, [
      ["b", 1, undefined, "a.0.b", 8],
      ["b", 2, 1, "a.0.b", 16],
      ["a", [{ b: 1 }], undefined, "a", 1],
      ["c", 3, undefined, "__proto__.c", 40],
      ["__proto__", { c: 3 }, undefined, "__proto__", 26],
    ]);
    assert.deepEqual(value, { a: [{ b: 1 }] });
  });

  test("goes as deep as it is told to, and no deeper", () => {
    const nested = (depth: number): string => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
    read(nested(100));
    const fault = faultOf(nested(101));
    assert.deepEqual([fault?.message, fault?.offset], ["too deep", 100]);
  });

  test("takes texts of any length", () => {
    const long = `${"x\\n".repeat(2_000_000)}`;
    assert.equal(read(`/*${long}*/ "${long}"`).value, "x\n".repeat(2_000_000));
    assert.equal(faultOf(`"${long}`)?.message, 'a closing " on the same line');
    assert.equal(faultOf(`/*${long}`)?.message, "*/ at the end of the comment");
  });
});
