/**
 * A peer's text may reach a log: nothing in it may move the cursor, begin a new line, turn the direction
 * in which others are read, or be there unseen.
 */

/** Controls, format characters (U+200B, U+202E, U+2066 …), and what ends a line or a paragraph. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** As escapes for people: `\n`, `\x1b`, `\u202e`, `\u{e0001}`. */
export function escape(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    if (character === "\n") return "\\n";
    const code = character.codePointAt(0)!;
    if (code > 0xffff) return `\\u{${code.toString(16)}}`;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/**
 * A value as JSON, in which they are escapes that every reader undoes.
 *
 * @throws what JSON.stringify throws.
 */
export function toJson(value: unknown): string | undefined {
  const json = JSON.stringify(value) as string | undefined;
  return json?.replace(INVISIBLE, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) escaped += `\\u${hex(character.charCodeAt(i), 4)}`;
    return escaped;
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
