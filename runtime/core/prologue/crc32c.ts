/** CRC32C (Castagnoli), RFC 3720 appendix B.4: what a PROXY header of version 2 may be checked by. */

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
    made[byte] = crc;
  }
  return made;
}

/** The checksum of `bytes`; with a `gap`, as if the four bytes there were 0. */
export function crc32c(bytes: Uint8Array, gap: number = -4): number {
  table ??= makeTable();
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    const byte = at >= gap && at < gap + 4 ? 0 : bytes[at]!;
    crc = table[(crc ^ byte) & 0xff]! ^ crc >>> 8;
  }
  return ~crc >>> 0;
}
