/** Being started by systemd or inetd: their sockets, and what systemd wants to hear. */
export { inheritedFor, passedSockets, STDIO_IDLE } from "./inherited.ts";
export { isInetd, untilDone } from "./inetd.ts";
export { makeNotifier, type Notifier } from "./notify.ts";
export { type Environment, listenFds, type PassedSocket } from "./passed.ts";
