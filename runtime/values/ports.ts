import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** For machines without the file, as slim containers are: RFC 862 to 868, and what is met most. */
const WELL_KNOWN = `
echo 7/tcp
echo 7/udp
discard 9/tcp
discard 9/udp
daytime 13/tcp
daytime 13/udp
qotd 17/tcp
qotd 17/udp
chargen 19/tcp
chargen 19/udp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp
time 37/tcp
time 37/udp
domain 53/tcp
domain 53/udp
tftp 69/udp
finger 79/tcp
http 80/tcp
pop3 110/tcp
ident 113/tcp auth
ntp 123/udp
imap2 143/tcp imap
https 443/tcp
syslog 514/udp
mqtt 1883/tcp
redis 6379/tcp
`;

let table: ReadonlyMap<string, number> | undefined;

/**
 * The port of a service by its name or alias in /etc/services, as getservbyname(3) finds it. The
 * file is read when it is first needed.
 */
export function portOf(name: string, protocol: "tcp" | "udp"): number | undefined {
  table ??= parseServices(readServices());
  return table.get(`${name}/${protocol}`);
}

function readServices(): string {
  const file = process.platform === "win32"
    ? join(process.env["SystemRoot"] ?? "C:\\Windows", "System32\\drivers\\etc\\services")
    : "/etc/services";
  try {
    return readFileSync(file, "utf8");
  } catch {
    return WELL_KNOWN;
  }
}

/** Reads the format of services(5): `name port/protocol alias… # comment`. The first entry of a name counts. */
export function parseServices(text: string): Map<string, number> {
  const ports = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, place, ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
    const found = /^(\d+)\/(\w+)$/.exec(place ?? "");
    if (name === undefined || found === null) continue;
    for (const word of [name, ...aliases]) {
      const key = `${word}/${found[2]}`;
      if (!ports.has(key)) ports.set(key, Number(found[1]));
    }
  }
  return ports;
}
