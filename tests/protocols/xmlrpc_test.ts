/** XML-RPC: the fetch hook, and a client that Python has had for long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingPrograms } from "../support/packages.ts";
import { client, portOf, serveProtocol } from "../support/protocols.ts";

const CLIENT = `
import sys, xmlrpc.client
proxy = xmlrpc.client.ServerProxy(sys.argv[1])
assert proxy.add(2, 40) == 42
assert proxy.add(0.5, 1) == 1.5
assert proxy.reverse("a < b & zwölf") == "flöwz & b < a"
assert proxy.whoami() == "127.0.0.1"
for i in range(200): assert proxy.add(i, 1) == i + 1
assert proxy.reverse("x" * 300000 + "y") == "y" + "x" * 300000
try:
    proxy.nothing()
    sys.exit("it has answered")
except xmlrpc.client.Fault as fault:
    assert fault.faultCode == -32601 and fault.faultString == "no nothing", fault
print("all right")
`;

for (const strategy of ["serial", "async"]) {
  const skip = lackingPrograms("python3");
  test(`xml-rpc, ${strategy}: Python calls methods, and is told of faults`, { skip }, async (t) => {
    const server = await serveProtocol(t, "xmlrpc", strategy, { listen: "http://127.0.0.1:0" });
    const url = `http://127.0.0.1:${
      (await portOf(server, "xmlrpc", "http")).replace("/", "")
    }/RPC2`;
    assert.equal(await client("python3", "-c", CLIENT, url), "all right\n");
    const { text } = await server.process.record({ event: "log", level: "warn" });
    assert.equal(text, "no such method");
    const response = await fetch(url);
    assert.deepEqual([response.status, await response.text()], [405, "POST only\n"]);
  });
}
