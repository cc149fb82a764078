/** A command to try a service with, for whoever has started it on a terminal. */
import type { Address } from "../core/endpoint.ts";
import type { ServicePlan } from "../core/plan.ts";
import { standard } from "../sinks/standard.ts";
import { isTerminal } from "../values/terminal.ts";

/** Prints one line below `ready`, where the console's records are seen on a terminal. */
export function showTryLine(plans: readonly ServicePlan[], address: Address | undefined): void {
  const seen = plans.some(({ log }) =>
    log.some(({ type, options }) => type === "console" && options["stream"] !== "stderr")
  );
  if (address === undefined || !seen || !isTerminal(1)) return;
  const command = tryCommand(address);
  if (command !== undefined) standard("stdout")?.push(`try: ${command}\n`);
}

/** What talks to a service at an address; undefined for a socket without a name. */
export function tryCommand({ transport, host, port, path }: Address): string | undefined {
  const here = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const authority = `${here.includes(":") ? `[${here}]` : here}:${port}`;
  if (host === "" && path === "") return undefined;
  const abstract = path.startsWith("@");
  const place = quote(abstract ? path.slice(1) : path);
  switch (transport) {
    case "tcp":
      return `printf hello | nc -q1 ${here} ${port}`;
    case "udp":
      return `printf hello | nc -u -w1 ${here} ${port}`;
    case "tls":
      return `printf hello | openssl s_client -quiet -connect ${authority}`;
    case "http":
      return `curl http://${authority}/`;
    case "https":
      return `curl -k https://${authority}/`;
    case "http+unix":
      return abstract
        ? `curl --abstract-unix-socket ${place} http://localhost/`
        : `curl --unix-socket ${place} http://localhost/`;
    case "unix":
      return abstract
        ? `printf hello | socat -t1 - ABSTRACT-CONNECT:${place}`
        : `printf hello | nc -U -q1 ${place}`;
    case "unixgram":
      // An answer needs an address to go to.
      return abstract
        ? `printf hello | socat -t1 - ABSTRACT-SENDTO:${place}`
        : `printf hello | socat -t1 - UNIX-SENDTO:${place},bind=/tmp/portico-try.sock`;
  }
}

/** For a shell. */
function quote(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
