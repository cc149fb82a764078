/** The one table of errnos: for each errno and situation the code, who is at fault, and the text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  acceptFailure,
  bindFailure,
  callFailure,
  concernsOnePeer,
  connectFailure,
  optionFailure,
  receiveFailure,
  sendFailure,
} from "../../adapters/errno.ts";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";

const tcp: NamedEndpoint = { transport: "tcp", host: "192.0.2.1", port: 7 };
const unix: NamedEndpoint = { transport: "unix", path: "/x" };
const udpPeer = new Address("udp", "192.0.2.1", 7, "");
const unixPeer = new Address("unixgram", "", 0, "/x");

/** What a runtime throws for an errno. */
const thrown = (code: string): Error => Object.assign(new Error(`${code}: words`), { code });

/** The answer in short: code, side. */
const short = ({ code, side }: PorticoError): string => `${code} ${side}`;

const SITUATIONS: Readonly<Record<string, (name: string) => PorticoError>> = {
  bind: (name) => bindFailure(tcp, thrown(name)),
  connect: (name) => connectFailure(tcp, thrown(name)),
  "connect unix": (name) => connectFailure(unix, thrown(name)),
  send: (name) => sendFailure(name, udpPeer),
  "send unix": (name) => sendFailure(name, unixPeer),
  receive: (name) => receiveFailure(name),
  accept: (name) => acceptFailure(name),
};

/** In the order of {@link SITUATIONS}. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  EACCES: [
    "EACCES config",
    "EACCES host",
    "EACCES peer",
    "EACCES host",
    "EACCES peer",
    "RECEIVE_FAILED host",
    "EACCES host",
  ],
  EADDRINUSE: [
    "EADDRINUSE config",
    "EADDRINUSE host",
    "EADDRINUSE host",
    "EADDRINUSE host",
    "EADDRINUSE host",
    "RECEIVE_FAILED host",
    "EADDRINUSE host",
  ],
  EADDRNOTAVAIL: [
    "EADDRNOTAVAIL config",
    "EADDRNOTAVAIL host",
    "EADDRNOTAVAIL host",
    "EADDRNOTAVAIL host",
    "EADDRNOTAVAIL host",
    "RECEIVE_FAILED host",
    "EADDRNOTAVAIL host",
  ],
  EAGAIN: [
    "NOT_SUPPORTED config",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "SEND_FAILED host",
    "SEND_FAILED host",
    "RECEIVE_FAILED host",
    "ACCEPT_FAILED host",
  ],
  EAI_AGAIN: [
    "ENOTFOUND config",
    "ENOTFOUND peer",
    "ENOTFOUND peer",
    "ENOTFOUND peer",
    "ENOTFOUND peer",
    "RECEIVE_FAILED host",
    "ENOTFOUND host",
  ],
  ECONNREFUSED: [
    "ECONNREFUSED config",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "ECONNREFUSED host",
  ],
  EINVAL: [
    "EADDRNOTAVAIL config",
    "EADDRNOTAVAIL host",
    "ENAMETOOLONG host",
    "SEND_FAILED host",
    "SEND_FAILED host",
    "RECEIVE_FAILED host",
    "ACCEPT_FAILED host",
  ],
  EMFILE: [
    "EMFILE config",
    "EMFILE host",
    "EMFILE host",
    "EMFILE host",
    "EMFILE host",
    "EMFILE host",
    "EMFILE host",
  ],
  EMSGSIZE: [
    "EMSGSIZE config",
    "EMSGSIZE plugin",
    "EMSGSIZE plugin",
    "EMSGSIZE plugin",
    "EMSGSIZE plugin",
    "EMSGSIZE plugin",
    "EMSGSIZE host",
  ],
  ENOENT: [
    "ENOENT config",
    "ENOENT peer",
    "ENOENT peer",
    "ENOENT peer",
    "ENOENT peer",
    "RECEIVE_FAILED host",
    "ENOENT host",
  ],
  ENOTDIR: [
    "ENOENT config",
    "ENOENT peer",
    "ENOENT peer",
    "ENOENT peer",
    "ENOENT peer",
    "RECEIVE_FAILED host",
    "ENOENT host",
  ],
  EPERM: [
    "EPERM config",
    "EPERM host",
    "EPERM host",
    "EPERM host",
    "EPERM host",
    "RECEIVE_FAILED host",
    "EPERM host",
  ],
  EPROTOTYPE: [
    "NOT_SUPPORTED config",
    "ECONNREFUSED peer",
    "ECONNREFUSED peer",
    "SEND_FAILED host",
    "SEND_FAILED host",
    "RECEIVE_FAILED host",
    "ACCEPT_FAILED host",
  ],
  EROFS: [
    "EACCES config",
    "EACCES host",
    "EACCES peer",
    "EACCES host",
    "EACCES peer",
    "RECEIVE_FAILED host",
    "EACCES host",
  ],
};

test("each errno has one answer for each situation", () => {
  for (const [name, answers] of Object.entries(TABLE)) {
    const found = Object.values(SITUATIONS).map((failure) => short(failure(name)));
    assert.deepEqual(found, answers, name);
  }
});

test("a number, a name and what was thrown give the same answer", () => {
  for (const reason of [98, "EADDRINUSE", thrown("EADDRINUSE")]) {
    const error = bindFailure(tcp, reason);
    assert.equal(
      error.message,
      "cannot bind tcp://192.0.2.1:7: the address is in use (EADDRINUSE)",
    );
    assert.equal(error.cause, typeof reason === "object" ? reason : undefined);
  }
  // Deno's errors have a name of their own, and not always an errno.
  const named = Object.assign(new Error("words"), { name: "AddrInUse" });
  assert.equal(short(bindFailure(tcp, named)), "EADDRINUSE config");
  const numbered = Object.assign(new Error("words (os error 91)"), { name: "Error" });
  assert.equal(short(connectFailure(unix, numbered)), "ECONNREFUSED peer");
  const lookup = connectFailure(tcp, new TypeError("failed to lookup address information: -2"));
  assert.equal(short(lookup), "ENOTFOUND peer");
});

test("a text says what was tried, and keeps the errno", () => {
  const text = (error: PorticoError): string => error.message;
  const { message } = connectFailure(unix, thrown("EPROTOTYPE"));
  assert.equal(message, "cannot connect to unix:/x: connection refused (EPROTOTYPE)");
  assert.match(text(connectFailure(unix, thrown("EINVAL"))), /: the path .* too long \(EINVAL\)$/);
  assert.match(text(bindFailure(tcp, "EAI_AGAIN")), /: the host name is not known \(EAI_AGAIN\)$/);
  assert.equal(text(sendFailure(13, unixPeer)), "unixgram:/x: permission denied (EACCES)");
  assert.equal(
    text(acceptFailure("EMFILE", ": a pause")),
    "no file descriptor is left in this process (EMFILE): a pause",
  );
  assert.equal(text(receiveFailure("ENOENT")), "a datagram could not be received (ENOENT)");
  assert.equal(
    text(callFailure("it cannot be", 9)),
    "it cannot be: this runtime on this machine cannot do it (EBADF)",
  );
});

test("what has no name here is told in the runtime's words", () => {
  const odd = thrown("ERR_ODD");
  assert.equal(
    connectFailure(tcp, odd).message,
    "cannot connect to tcp://192.0.2.1:7: ERR_ODD: words",
  );
  assert.equal(short(connectFailure(tcp, odd)), "NOT_SUPPORTED host");
  assert.equal(short(bindFailure(tcp, odd)), "NOT_SUPPORTED config");
});

test("an error of ours stays what it is; a bind names its endpoint once", () => {
  const ours = new PorticoError("NOT_SUPPORTED", "there is no way");
  for (
    const failure of [connectFailure(tcp, ours), acceptFailure(ours), sendFailure(ours, udpPeer)]
  ) {
    assert.equal(failure, ours);
  }
  const bound = bindFailure(tcp, ours);
  assert.equal(bound.message, "cannot bind tcp://192.0.2.1:7: there is no way");
  assert.equal(bindFailure(tcp, bound), bound);
});

test("who has gone before the accept is no reason to pause", () => {
  for (const name of ["ECONNABORTED", "EPROTO", "EPERM", "EHOSTUNREACH"]) {
    assert.ok(concernsOnePeer(thrown(name)), name);
  }
  for (const name of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EBADF", "EINVAL", "EOPNOTSUPP"]) {
    assert.ok(!concernsOnePeer(thrown(name)), name);
  }
});

test("an option names itself, its value and the reason", () => {
  const denied = optionFailure("dscp", 46, 1);
  assert.equal(short(denied), "EPERM config");
  assert.equal(denied.message, "dscp 46: it needs a capability (EPERM)");
  const device = optionFailure("device", "none0", 19);
  assert.equal(short(device), "EADDRNOTAVAIL config");
  assert.equal(device.message, 'device "none0": there is no such device (ENODEV)');
  assert.equal(short(optionFailure("fastOpen", 1, 92)), "NOT_SUPPORTED config");
});
