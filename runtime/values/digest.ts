/**
 * A short name for a text: 13 hexadecimal digits, the same on every runtime and machine. Two texts
 * that differ by accident have different ones; whoever wants a collision can make one.
 *
 * The mixing is that of MurmurHash3, in two lanes of 32 bits.
 */
export function digest(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    b = Math.imul(b ^ unit, 0x5f356495);
  }
  a = Math.imul(a ^ a >>> 16, 0x85ebca6b) ^ Math.imul(b ^ b >>> 13, 0xc2b2ae35);
  b = Math.imul(b ^ b >>> 16, 0x85ebca6b) ^ Math.imul(a ^ a >>> 13, 0xc2b2ae35);
  const high = (b >>> 0) & 0xfffff;
  return high.toString(16).padStart(5, "0") + (a >>> 0).toString(16).padStart(8, "0");
}
