import { definePlugin, pipe, type Plugin, writeProxyHeader } from "../runtime/mod.ts";
import { Associations } from "./proxy/datagrams.ts";
import { options, type ProxyInput, type ProxyOptions } from "./proxy/options.ts";
import { Targets } from "./proxy/targets.ts";
import { clientOf, type ProxyTls } from "./proxy/tls.ts";

export type { ProxyInput, ProxyOptions, ProxyTls };

/**
 * Passes streams and datagrams on to other servers: xinetd's `redirect`, and more. A stream goes to a
 * target of `tcp:`, `unix:` or, over TLS, `tls:`, a datagram to one of `udp:` or `unixgram:`; `to` may name several of
 * both, which take turns.
 *
 * Each side's end is the other side's, each way for itself (half-close), and so are a reset and the
 * slowness of a reader: what is on its way is bounded. Each sender of datagrams has a socket of its
 * own towards its target, until neither has sent anything for `idle`; as long it holds one of the
 * service's `limits.sessions` and of `concurrency.max`, which therefore has to be larger than 1.
 *
 * With `proxyProtocol` the first bytes that a target is sent, of a stream or of each datagram, say who the
 * client is: the PROXY protocol. Of a client that a balancer has told us of, it is that one, and what was
 * told of it beside its addresses is passed on.
 *
 * Try: `{ "plugin": "proxy", "listen": "tcp://127.0.0.1:7080", "options": { "to": "tcp://127.0.0.1:80" } }`
 */
const proxy: Plugin<ProxyOptions, unknown, ProxyInput> = definePlugin({
  name: "proxy",
  transports: ["stream", "datagram"],
  options,
  start: ({ options, connect, log, folder }) => {
    const { to, connectTimeout: timeout, health, idle, maxPeers, proxyProtocol } = options;
    const tls = clientOf(options.tls, folder);
    const policy = { fails: health.fails, retry: health.retry, log };
    const servers = new Targets(to, "stream", policy);
    const associations = new Associations(new Targets(to, "datagram", policy), connect, {
      idle,
      maxPeers,
      proxyProtocol,
    });
    return {
      async handle(client) {
        const upstream = await servers.reach(client, async (endpoint) => {
          if (proxyProtocol === undefined) return connect(endpoint, undefined, { timeout, tls });
          // The header is said in clear, as balancers do.
          const clear = endpoint.replace(/^tls:/, "tcp:");
          const upstream = await connect(clear, undefined, { timeout });
          upstream.write(writeProxyHeader(client, proxyProtocol));
          if (clear !== endpoint) await upstream.startTls(tls);
          return upstream;
        });
        await pipe(client, upstream);
      },
      datagram: (session, bytes) => associations.forward(session, bytes),
      stop: () => associations.close(),
    };
  },
});

export default proxy;
