/** Connections that turn into TLS: at once, of `tls` endpoints, and in the middle of a conversation. */
import assert from "node:assert/strict";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import type { TlsClient } from "../../runtime/core/endpoint.ts";
import type { TlsEngine, TlsServerContext, TlsServerOptions } from "../../runtime/core/tls.ts";
import { certificates } from "../support/certificates.ts";
import { until, within } from "../support/until.ts";
import { Client, named } from "./client.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Behaviour, Recorder, Tapped } from "./recorder.ts";
import { both, type Case, programsAnywhere, type Stage } from "./stage.ts";

const MEGABYTE = 1024 * 1024;

/** Where the handshake begins: with the connection, or when both have said so. */
type Manner = "tls" | "starttls";

/** What a case has at hand. */
export interface Scene {
  readonly stage: Stage;
  readonly engine: TlsEngine;
  readonly context: TlsServerContext;
  readonly server: Recorder;
  readonly to: NamedEndpoint;
  /** Connects, with its handshake done; ended when the case is over. */
  client(options?: TlsClient, behaviour?: Behaviour): Promise<Tapped>;
}

/** Options of a server; it is `logs.example` when they name nobody. */
export function serverOptions(options: Partial<TlsServerOptions> = {}): TlsServerOptions {
  return {
    identities: [certificates().identity("server", "logs.example")],
    alpn: [],
    client: "none",
    ca: [],
    minVersion: "TLSv1.2",
    ...options,
  };
}

/** Whom a client trusts. */
export function trusting(options: TlsClient = {}): TlsClient {
  return { ca: certificates().cert("ca"), serverName: "logs.example", ...options };
}

/** Sends back what it gets, and the end. */
export const ECHO: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk.slice()),
  end: (connection) => connection.end(),
};

/** Plays a case with a server that speaks TLS. */
export async function withServer(
  stage: Stage,
  manner: Manner,
  options: Partial<TlsServerOptions>,
  behaviour: Behaviour,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const engine = await stage.adapter.tls!();
  const context = engine.server(serverOptions(options));
  const serving: Behaviour = manner === "tls"
    ? { ...behaviour, open: (connection) => connection.secure(context) }
    : {
      ...behaviour,
      data(connection, chunk) {
        if (connection.events.includes("secured")) return behaviour.data?.(connection, chunk);
        assert.equal(text(chunk), "STARTTLS");
        connection.write(encode("go on"));
        connection.secure(context);
      },
    };
  const place: NamedEndpoint = manner === "tls"
    ? { transport: "tls", host: "127.0.0.1", port: 0 }
    : stage.harness.place(stage.transport);
  const server = await stage.listen(serving, {}, place);
  const to = named(server.listener.address);
  const clients: Client[] = [];
  const client = async (options = trusting(), told: Behaviour = {}): Promise<Tapped> => {
    let secured = false;
    const made = new Client({
      ...told,
      secured(connection) {
        secured = true;
        told.secured?.(connection);
      },
      data(connection, chunk) {
        if (manner === "tls" || secured) return told.data?.(connection, chunk);
        connection.secure(engine.client(options, "logs.example"));
      },
    });
    clients.push(made);
    await within("connect", stage.adapter.connect(to, made, "given", 5000, options));
    const mine = made.connections[0]!;
    if (manner === "tls") return mine;
    mine.write(encode("STARTTLS"));
    await until("a handshake", () => secured || mine.closed);
    mine.chunks.length = mine.received = 0;
    return mine;
  };
  try {
    await run({ stage, engine, context, server, to, client });
  } finally {
    for (const each of clients) await each.stop(() => stage.settle());
  }
}

/** A case for each manner. */
export function tls(
  name: string,
  run: (scene: Scene, manner: Manner) => Promise<void>,
  options: () => Partial<TlsServerOptions> = () => ({}),
  behaviour: Behaviour = ECHO,
  whole = false,
): Case[] {
  return (["tls", "starttls"] as const).map((manner) => ({
    name: `TLS, ${manner === "tls" ? "at once" : "in the middle"}: ${name}`,
    ...(manner === "tls" && { only: "tcp" as const }),
    needs: (harness) => both(programsAnywhere("openssl")(), whole ? harness.tlsLayers : true),
    run: (stage) => withServer(stage, manner, options(), behaviour, (scene) => run(scene, manner)),
  }));
}

const words: readonly Case[] = [
  ...tls("what is said goes both ways, and both know what they have come to", async (
    { server, client },
    manner,
  ) => {
    const mine = await client();
    mine.write(encode("hello"));
    await until("the echo", () => mine.received === 5);
    assert.equal(text(mine.bytes()), "hello");
    const theirs = await server.connection(0);
    assert.match(String(theirs.connection.remote), manner === "tls" ? /^tls:/ : /^(tcp|unix):/);
    const info = theirs.connection.tls!;
    assert.deepEqual({ ...info }, {
      version: "TLSv1.3",
      cipher: info.cipher,
      serverName: "logs.example",
      resumed: false,
      authorized: false,
    });
    assert.match(info.cipher, /^TLS_(AES|CHACHA20)_\w+_SHA\d+$/);
    const seen = mine.connection.tls!;
    assert.deepEqual([seen.cipher, seen.serverName, seen.authorized], [
      info.cipher,
      "logs.example",
      true,
    ]);
    assert.deepEqual(seen.peer!.subjectAltNames, ["DNS:logs.example", "IP:127.0.0.1"]);
    mine.end();
    await until("the close", () => mine.closed && theirs.closed);
    assert.deepEqual([mine.error, theirs.error], [undefined, undefined]);
    assert.deepEqual(theirs.events.slice(-4), ["secured", "data", "end", "close"]);
    assert.equal(theirs.connection.tls, info);
  }),
  ...tls(
    "8 MB go there and back whole",
    async ({ client, server }) => {
      const mine = await client();
      const sent = pattern(8 * MEGABYTE);
      mine.write(sent);
      mine.end();
      await until("the close", () => mine.closed, 20_000);
      assertBytes(mine.bytes(), sent, "the echo");
      assert.equal(mine.error, undefined);
      assert.equal((await server.connection(0)).error, undefined);
    },
    undefined,
    ECHO,
    true,
  ),
  ...tls(
    "who has said all it has to say still hears the answer",
    async ({ client }) => {
      const mine = await client();
      mine.write(encode("question"));
      mine.end();
      await until("the close", () => mine.closed, 20_000);
      assertBytes(mine.bytes(), pattern(3 * MEGABYTE, 5), "the answer");
      assert.equal(mine.error, undefined);
    },
    undefined,
    {
      end(connection) {
        assert.equal(text(connection.bytes().subarray(-8)), "question");
        connection.write(pattern(3 * MEGABYTE, 5));
        connection.end();
      },
    },
    true,
  ),
  ...tls(
    "who pauses when the handshake is done hears nothing until it goes on, and loses nothing",
    async ({ client, server, stage }) => {
      const mine = await client();
      mine.write(encode("early"));
      const theirs = await server.connection(0);
      await until("the handshake", () => theirs.events.includes("secured"));
      await stage.settle();
      const before = theirs.received;
      theirs.resume();
      await until("the echo", () => mine.received === 5);
      assert.equal(theirs.received - before, 5);
    },
    undefined,
    { ...ECHO, secured: (connection) => connection.pause() },
  ),
  ...tls("an abort leaves nothing, and is no farewell", async ({ client, server }) => {
    const mine = await client();
    const theirs = await server.connection(0);
    await until("the handshake", () => theirs.events.includes("secured"));
    theirs.abort();
    await until("the closes", () => {
      if (mine.ended && !mine.closed) mine.end();
      return mine.closed && theirs.closed;
    });
    assert.equal(theirs.error, undefined);
  }),
];

/** Nobody has to know that TLS has begun behind it. */
const before: Case = {
  name:
    "TLS, in the middle: what was written in clear is pending until it has gone out, before all else",
  needs: () => programsAnywhere("openssl")(),
  async run(stage) {
    const context = (await stage.adapter.tls!()).server(serverOptions());
    const { peer, connection } = await stage.pair({}, { reading: false });
    const sent = pattern(MEGABYTE);
    let written = 0;
    while (connection.pending < MEGABYTE) {
      connection.write(sent);
      written += sent.length;
      await stage.settle();
    }
    const { pending } = connection;
    connection.secure(context);
    assert.equal(connection.pending, pending);
    peer.read();
    await until("all of it in clear", () => peer.received >= written);
    await until("nothing pending", () => connection.pending === 0);
    const whole = peer.bytes();
    for (let at = 0; at < written; at += sent.length) {
      assertBytes(whole.subarray(at, at + sent.length), sent, `from ${at} on`);
    }
    assert.equal(whole.length, written);
    connection.abort();
    await until("the close", () => connection.closed);
  },
};

/** Of {@link Connection.secure}. */
export const secured: readonly Case[] = [...words, before];
