/** The canonical text of an address, RFC 5952: what `readIp` has read, the other way. */
export function formatIp(words: Uint32Array, family: 4 | 6): string {
  if (family === 4) {
    const word = words[0]!;
    return `${word >>> 24}.${word >>> 16 & 255}.${word >>> 8 & 255}.${word & 255}`;
  }
  const groups: string[] = [];
  let runAt = -1;
  let runLength = 1;
  for (let i = 0, start = 0; i <= 8; i++) {
    const group = i < 8 ? words[i >> 1]! >>> (i & 1 ? 0 : 16) & 0xffff : -1;
    if (i < 8) groups.push(group.toString(16));
    if (group === 0) continue;
    if (i - start > runLength) {
      runAt = start;
      runLength = i - start;
    }
    start = i + 1;
  }
  if (runAt < 0) return groups.join(":");
  return `${groups.slice(0, runAt).join(":")}::${groups.slice(runAt + runLength).join(":")}`;
}
