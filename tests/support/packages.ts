/**
 * The programs of this machine that tests talk to, each with what has to be true of it and with Debian's
 * package. A test that needs one names it here: where it is missing the test is skipped, with the reason.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

interface Needed {
  /** What Debian has it in. */
  readonly package: string;
  /** Other names that it goes by. */
  readonly names?: readonly string[];
  /** Whether what was found is what tests need: others have the same name. */
  readonly suits?: (path: string) => boolean;
}

function prints(path: string, ...words: readonly string[]): string {
  const { stdout, stderr } = spawnSync(path, words, { encoding: "utf8", input: "" });
  return `${stdout}${stderr}`;
}

const succeeds = (path: string, ...words: readonly string[]): boolean =>
  spawnSync(path, words, { stdio: "ignore" }).status === 0;

const coreutils: Needed = { package: "coreutils" };

export const PROGRAMS = {
  sh: { package: "dash" },
  bash: { package: "bash" },
  zsh: { package: "zsh" },
  fish: { package: "fish" },
  mandoc: { package: "mandoc" },
  groff: { package: "groff-base" },
  cat: coreutils,
  cut: coreutils,
  date: coreutils,
  dd: coreutils,
  env: coreutils,
  head: coreutils,
  mkfifo: coreutils,
  nice: coreutils,
  sleep: coreutils,
  wc: coreutils,
  grep: { package: "grep" },
  mount: { package: "mount" },
  setpriv: { package: "util-linux" },
  prlimit: { package: "util-linux" },
  ionice: { package: "util-linux" },
  unshare: { package: "util-linux" },
  nsenter: { package: "util-linux" },
  "docker-compose": { package: "docker-compose" },
  ip: { package: "iproute2" },
  // The one of netcat-traditional neither ends its side nor knows Unix sockets.
  nc: { package: "netcat-openbsd", suits: (path) => /-\w*N/.test(prints(path, "-h")) },
  socat: { package: "socat" },
  curl: { package: "curl" },
  dig: { package: "bind9-dnsutils" },
  "redis-cli": { package: "redis-tools" },
  "redis-benchmark": { package: "redis-tools" },
  swaks: { package: "swaks" },
  openssl: { package: "openssl" },
  ssh: { package: "openssh-client" },
  "ssh-keygen": { package: "openssh-client" },
  sshd: { package: "openssh-server" },
  haproxy: { package: "haproxy" },
  dnsdist: { package: "dnsdist" },
  // Its module for streams has to be told by its path.
  nginx: {
    package: "libnginx-mod-stream",
    suits: () => existsSync("/usr/lib/nginx/modules/ngx_stream_module.so"),
  },
  python3: {
    package: "python3",
    suits: (path) => succeeds(path, "-c", "import socket, ssl; socket.recv_fds"),
  },
  logger: { package: "bsdutils", suits: (path) => prints(path, "--help").includes("--rfc3164") },
  script: { package: "bsdutils" },
  logrotate: { package: "logrotate" },
  rsyslogd: { package: "rsyslog" },
  /** The module with which rsyslogd speaks TLS. */
  "lmnsd_ossl.so": { package: "rsyslog-openssl" },
  xinetd: { package: "xinetd" },
  journalctl: { package: "systemd" },
  "systemd-journald": { package: "systemd" },
  "systemd-analyze": { package: "systemd" },
  "systemd-socket-activate": { package: "systemd" },
  promtool: { package: "prometheus" },
  chromium: { package: "chromium", names: ["chromium-browser", "google-chrome"] },
} as const satisfies Readonly<Record<string, Needed>>;

export type ProgramName = keyof typeof PROGRAMS;

/** Where one is, beside PATH: an ordinary user's has no daemons, and nobody's has modules. */
function folders(): string[] {
  const libraries = ["/usr/lib", "/usr/lib64"];
  try {
    // One for each architecture.
    libraries.push(...readdirSync("/usr/lib").map((name) => `/usr/lib/${name}`));
  } catch {
    // It is no Linux.
  }
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const daemons = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"];
  return [...path, ...daemons, ...libraries.map((folder) => `${folder}/rsyslog`)];
}

/** By the PATH of then, and name. */
const found: Map<string, string | undefined> = new Map();

function find(name: ProgramName): string | undefined {
  const { names = [], suits }: Needed = PROGRAMS[name];
  // A module is read, not run.
  const mode = name.endsWith(".so") ? constants.R_OK : constants.X_OK;
  const there = (path: string): boolean => {
    try {
      accessSync(path, mode);
      return true;
    } catch {
      return false;
    }
  };
  const paths = [name, ...names].flatMap((each) => folders().map((folder) => join(folder, each)));
  const path = paths.find(there);
  return path !== undefined && suits?.(path) !== false ? path : undefined;
}

/** Where a program is; undefined when it is missing. */
export function pathOf(name: ProgramName): string | undefined {
  const key = `${process.env["PATH"]}\n${name}`;
  if (!found.has(key)) found.set(key, find(name));
  return found.get(key);
}

/** Why what needs these programs is skipped; false when all are there. */
export function lackingPrograms(...names: readonly ProgramName[]): string | false {
  const missing = names.filter((name) => pathOf(name) === undefined);
  if (missing.length === 0) return false;
  const packages = new Set(missing.map((name) => PROGRAMS[name].package));
  return `there is no ${missing.join(" and no ")} that suits: it is in ${[...packages].join(", ")}`;
}
