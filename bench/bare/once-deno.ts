/** What inetd starts for a connection: echo of what comes, until it ends. */
const buffer = new Uint8Array(16 * 1024);
for (let n; (n = await Deno.stdin.read(buffer)) !== null;) {
  for (let sent = 0; sent < n;) sent += await Deno.stdout.write(buffer.subarray(sent, n));
}
