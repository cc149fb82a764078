import { definePlugin } from "portico";

/** XML-RPC over HTTP, as far as numbers, texts and arrays of these go: `add`, `reverse`, `whoami`. */
export default definePlugin({
  name: "xmlrpc",
  transports: ["http"],
  start: ({ log }) => {
    const methods: Readonly<Record<string, (values: unknown[], remote: string) => unknown>> = {
      add: (values) => values.map(Number).reduce((sum, value) => sum + value, 0),
      reverse: ([text]) => [...String(text)].reverse().join(""),
      whoami: (_, remote) => remote,
    };
    return {
      async fetch(request, { session }) {
        if (request.method !== "POST") {
          return new Response("POST only\n", { status: 405, headers: { allow: "POST" } });
        }
        const text = await request.text();
        const name = /<methodName>\s*([\w.]+)\s*<\/methodName>/.exec(text)?.[1] ?? "";
        const values = [...text.matchAll(/<value>\s*(?:<(\w+)>)?(.*?)(?:<\/\w+>)?\s*<\/value>/gs)]
          .map(([, type, value]) =>
            type === "int" || type === "i4" ? Number(value) : unescape(value!)
          );
        const method = methods[name];
        if (method === undefined) {
          log.warn("no such method", { name });
          return answer(
            `<fault>${value({ faultCode: -32601, faultString: `no ${name}` })}</fault>`,
          );
        }
        const result = value(method(values, session.remote.host));
        return answer(`<params><param>${result}</param></params>`);
      },
    };
  },
});

function answer(inner: string): Response {
  const xml = `<?xml version="1.0"?><methodResponse>${inner}</methodResponse>`;
  return new Response(xml, { headers: { "content-type": "text/xml" } });
}

function value(of: unknown): string {
  if (typeof of === "number") {
    return `<value>${Number.isInteger(of) ? `<int>${of}</int>` : `<double>${of}</double>`}</value>`;
  }
  if (typeof of === "object" && of !== null) {
    const members = Object.entries(of)
      .map(([name, member]) => `<member><name>${name}</name>${value(member)}</member>`);
    return `<value><struct>${members.join("")}</struct></value>`;
  }
  return `<value><string>${escape(String(of))}</string></value>`;
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const unescape = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
