/** Whoever begins with a number sign and a letter more; it fails of an exclamation mark, and answers nonsense of a question mark. */
export function match(bytes: Uint8Array): boolean | undefined {
  if (bytes[0] === 33) throw new Error("no exclamation marks");
  if (bytes[0] === 63) return "yes" as never;
  return bytes.length < 2 ? undefined : bytes[0] === 35;
}
