/** `portico import`: what inetd and xinetd read, as a manifest. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Converted, importServices, renderManifest } from "../runtime/convert/mod.ts";
import { rulesOf } from "../runtime/convert/access.ts";
import { portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";

const INETD = `# inetd.conf
#echo stream tcp nowait root internal
daytime\tstream\ttcp\tnowait\troot\tinternal
#<off># discard dgram udp wait root internal
127.0.0.1:7099 stream tcp nowait.40 nobody:nogroup /bin/cat cat -u
*:finger stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.fingerd -s
/run/cat.sock stream unix nowait root /bin/cat cat
[::1]:7098 stream tcp6 nowait/3/30/2 root /bin/cat cat
tftp dgram udp wait nobody /usr/sbin/in.tftpd in.tftpd /srv
rstatd/1-3 dgram rpc/udp wait root /usr/sbin/rpc.rstatd rpc.rstatd
pop3 stream tcp wait root /usr/sbin/popd popd
10.0.0.1:
time dgram udp wait root internal
time stream tcp nowait root internal
`;

const XINETD = `defaults
{
\tinstances = 60
\tlog_type = SYSLOG authpriv
\tlog_on_success = HOST PID
\tlog_on_failure = HOST
\tcps = 25 30
\tonly_from = 10.0.0.0
\tdisabled = third
}

service smtp-proxy
{
\ttype = UNLISTED
\tport = 2525
\tsocket_type = stream
\tprotocol = tcp
\twait = no
\tuser = nobody
\tredirect = 192.0.2.1 25
\tonly_from += 192.168.{1,2}
\tno_access = 192.168.1.9
\tonly_from += .example.com
\tper_source = 5
\tmax_load = 3.5
\tbanner = /etc/banner
\tbanner_fail = /etc/banner.no
\tlog_type = FILE /var/log/smtp.log 8M 16777216
\tlog_on_success -= PID
\tlog_on_success += DURATION TRAFFIC
\taccess_times = 8:00-18:00
\tflags = KEEPALIVE NODELAY
}
service cat {
\tid = cat-it
\ttype = UNLISTED
\tport = 7097
\tsocket_type = stream
\tprotocol = tcp
\twait = no
\tuser = daemon
\tgroup = 12
\tnice = 5
\tumask = 027
\tserver = /bin/cat
\tserver_args = -u
\tenv = A=1 B=x=y
\tpassenv = PATH
\tinstances = UNLIMITED
\trlimit_cpu = 20
\tbind = ::1
\tmystery = yes
}
service third
{
\tsocket_type = stream
\twait = no
\tserver = /bin/true
}
`;

/** Those of xinetd 2.3.15. */
const ATTRIBUTES = `id type flags disable socket_type protocol wait user group instances nice server
  server_args libwrap only_from no_access access_times log_type log_on_success log_on_failure rpc_version
  rpc_number env passenv port redirect bind interface banner banner_success banner_fail per_source cps
  max_load groups mdns umask enabled disabled include includedir rlimit_as rlimit_files rlimit_cpu rlimit_data
  rlimit_rss rlimit_stack deny_time`.split(/\s+/);
const FLAGS =
  `INTERCEPT NORETRY IDONLY NAMEINARGS NODELAY KEEPALIVE NOLIBWRAP SENSOR IPv4 IPv6 LABELED
  REUSE DISABLE`.split(/\s+/);

function imported(t: TestContext, name: string, text: string): Record<string, Converted> {
  const home = folder(t, { [name]: text });
  return Object.fromEntries(importServices(join(home, name)).map((one) => [one.name, one]));
}

describe("inetd.conf", () => {
  test("each line is a service, with what has no equal beside it", (t) => {
    const found = imported(t, "inetd.conf", INETD);
    const services = Object.fromEntries(
      Object.entries(found).filter(([, { off }]) => off === undefined)
        .map(([name, { service }]) => [name, service]),
    );
    const exec = (...command: string[]) => ({
      plugin: "exec",
      options: { command, passEnv: true },
    });
    assert.deepEqual(services, {
      daytime: { plugin: "daytime", listen: "tcp://0.0.0.0:daytime" },
      7099: {
        ...exec("/bin/cat", "-u"),
        listen: "tcp://127.0.0.1:7099",
        concurrency: { strategy: "processes", workers: 1 },
        user: "nobody",
        group: "nogroup",
        limits: { rate: "40/m" },
      },
      discard: { plugin: "discard", disable: true, listen: "udp://0.0.0.0:discard" },
      finger: { ...exec("/usr/sbin/in.fingerd", "-s"), listen: "tcp://*:finger" },
      "cat-sock": { ...exec("/bin/cat"), listen: "unix:/run/cat.sock" },
      7098: {
        ...exec("/bin/cat"),
        listen: "tcp://[::1]:7098",
        limits: { sessions: 3, perSource: 2 },
      },
      time: { plugin: "time", listen: "udp://10.0.0.1:time" },
      "time-tcp": { plugin: "time", listen: "tcp://10.0.0.1:time" },
    });
    assert.match(found["discard"]!.remarks.join(), /#<off>#/);
    assert.match(found["tftp"]!.off!, /socket of the datagrams/);
    assert.match(found["rstatd-1-3"]!.off!, /portmapper/);
    assert.match(found["pop3"]!.off!, /listening socket/);
    assert.match(found["finger"]!.remarks.join(), /hosts\.allow/);
    assert.match(found["7098"]!.remarks.join(), /perminute/);
    assert.equal(found["finger"]!.line, 6);
  });

  test("what is no line of it is refused, with its place", (t) => {
    assert.throws(() => imported(t, "inetd.conf", "daytime stream tcp\n"), {
      code: "CONFIG_UNREADABLE",
      message: /inetd\.conf:1: "SERVICE TYPE/,
    });
    assert.throws(() => importServices("/nowhere/inetd.conf"), { code: "CONFIG_UNREADABLE" });
  });
});

describe("xinetd.conf", () => {
  test("defaults, lists that add up, limits, access and log", (t) => {
    const found = imported(t, "xinetd.conf", XINETD);
    assert.deepEqual(found["smtp-proxy"]!.service, {
      plugin: "proxy",
      options: { to: "tcp://192.0.2.1:25" },
      listen: { endpoint: "tcp://0.0.0.0:2525", noDelay: true, keepAlive: "2h" },
      concurrency: { strategy: "processes", workers: 1 },
      user: "nobody",
      limits: { sessions: 60, perSource: 5, rate: "25/s", rest: "30s", load: 3.5 },
      access: {
        allow: [{
          from: ["10.0.0.0/8", "192.168.1.0/24", "192.168.2.0/24", ".example.com"],
          times: ["08:00-18:01"],
        }],
        deny: ["192.168.1.9"],
      },
      banner: { accept: { file: "/etc/banner" }, refuse: { file: "/etc/banner.no" } },
      log: {
        type: "file",
        path: "/var/log/smtp.log",
        warnSize: 8 * 1024 ** 2,
        maxSize: 16777216,
        fields: ["host", "duration", "traffic"],
      },
    });
    assert.deepEqual(found["smtp-proxy"]!.remarks.map((text) => text.split(":")[0]), [
      "banner",
    ]);
    assert.deepEqual(found["cat-it"]!.service, {
      plugin: "exec",
      options: {
        command: ["/bin/cat", "-u"],
        env: { A: "1", B: "x=y" },
        passEnv: ["PATH"],
        resources: { cpu: "20s" },
      },
      listen: "tcp://[::1]:7097",
      concurrency: { strategy: "processes", workers: 1 },
      user: "daemon",
      group: 12,
      nice: 5,
      umask: "027",
      limits: { rate: "25/s", rest: "30s" },
      access: { allow: ["10.0.0.0/8"] },
      log: { type: "syslog", facility: "authpriv", fields: ["host"] },
    });
    assert.match(found["cat-it"]!.remarks.join("\n"), /mystery: /);
    assert.deepEqual([found["third"]!.off, found["third"]!.service["disable"]], [undefined, true]);
    assert.deepEqual(found["third"]!.remarks.slice(0, 1), ["disabled in defaults"]);
  });

  /** One attribute after the other, of a program's service. */
  const one = (t: TestContext, ...lines: string[]): Converted =>
    imported(
      t,
      "x.conf",
      [
        "service x",
        "{",
        ...[
          "type = UNLISTED",
          "port = 7000",
          "socket_type = stream",
          "protocol = tcp",
          "wait = no",
        ],
        ...lines,
        "}",
        "",
      ].join("\n"),
    )["x"]!;
  const program = "server = /bin/cat";

  test("rlimit_* are the resources of the program", (t) => {
    const { service, remarks } = one(
      t,
      program,
      "rlimit_as = 64M",
      "rlimit_data = 4096K",
      "rlimit_stack = UNLIMITED",
      "rlimit_cpu = 20",
      "rlimit_files = 30",
    );
    assert.deepEqual((service["options"] as { resources: unknown }).resources, {
      memory: 64 * 1024 ** 2,
      data: 4 * 1024 ** 2,
      cpu: "20s",
      files: 30,
    });
    assert.deepEqual(remarks, []);
    const wrong = one(t, program, "rlimit_as = much", "rlimit_rss = 1M");
    assert.match(wrong.remarks.join("\n"), /rlimit_rss: Linux .*\nrlimit_as: much is no number/);
    assert.equal("resources" in (wrong.service["options"] as object), false);
    const inside = one(t, "redirect = ::1 25", "rlimit_cpu = 20");
    assert.match(inside.remarks.join("\n"), /rlimit_cpu: there is no program/);
  });

  test("load, banners, and what is switched off", (t) => {
    const load = one(t, program, "max_load = 2.5", "cps = 10 UNLIMITED");
    assert.deepEqual(load.service["limits"], { rate: "10/s", load: 2.5 });
    const banner = (...lines: string[]) => one(t, program, ...lines).service["banner"];
    assert.deepEqual(banner("banner = /a"), { accept: { file: "/a" }, refuse: { file: "/a" } });
    assert.deepEqual(banner("banner_fail = /no", "banner_success = /yes"), {
      accept: { file: "/yes" },
      refuse: { file: "/no" },
    });
    const both = one(t, program, "banner = /a", "banner_fail = /no");
    assert.deepEqual(both.service["banner"], { accept: { file: "/a" }, refuse: { file: "/no" } });
    assert.match(both.remarks.join(), /banner: banner_fail is said alone, where xinetd says both/);
    for (const line of ["disable = yes", "flags = DISABLE"]) {
      assert.equal(one(t, program, line).service["disable"], true);
    }
  });

  test("a sensor shuts out for its deny_time, whatever else it says", (t) => {
    const sensor = (...lines: string[]) =>
      one(t, program, "flags = SENSOR", "user = nobody", "only_from = 10.0.0.1", ...lines);
    const listen = "tcp://0.0.0.0:7000";
    assert.deepEqual(sensor("deny_time = 60").service, {
      plugin: "sensor",
      ban: { for: "60m" },
      listen,
    });
    assert.deepEqual(sensor("deny_time = FOREVER").service["ban"], { for: "none" });
    for (const line of ["deny_time = NEVER", "deny_time = 0", "deny_time = soon", "nice = 1"]) {
      const { service, remarks } = sensor(line);
      assert.deepEqual(service, { plugin: "discard", access: { allow: [] }, listen });
      assert.match(remarks.join("\n"), /SENSOR without a deny_time: who comes is refused/);
    }
  });

  test("what all of them come to passes its check", async (t) => {
    const home = folder(t, { hello: "hello\n", no: "not you\n" });
    const text = [
      "service x\n{\ntype = UNLISTED\nport = 7000\nsocket_type = stream\nprotocol = tcp\nwait = no",
      "server = /bin/cat\nrlimit_as = 64M\nrlimit_cpu = 20\nrlimit_files = 30\nmax_load = 50",
      `cps = 10 5\nbanner_success = ${home}/hello\nbanner_fail = ${home}/no\n}`,
      "service trap\n{\ntype = UNLISTED\nport = 7001\nsocket_type = stream\nprotocol = tcp",
      "wait = no\nflags = SENSOR\ndeny_time = 60\n}",
      "service y\n{\ntype = UNLISTED\nport = 7001\nsocket_type = stream\nprotocol = tcp",
      "wait = no\nserver = /no/such/program\ndisable = yes\n}\n",
    ].join("\n");
    writeFileSync(join(home, "xinetd.conf"), text);
    const to = join(home, "portico.json");
    const made = await portico("import", join(home, "xinetd.conf"), "--to", to);
    assert.match(made.err, /3 services: 3 in the manifest, 0 as comments in it; 1 remarks/);
    const { code, out, err } = await portico("check", to);
    assert.equal(code, 0, out + err);
    assert.match(out, /^ok +y +plugin exec +disabled/m);
  });

  test("every attribute and flag of xinetd.conf(5) is in the table", () => {
    const file = new URL("../docs/guide/coming-from-inetd.md", import.meta.url).href;
    const page = readFileSync(fileURLToPath(file), "utf8");
    const table = page.slice(page.indexOf("## xinetd.conf"));
    for (const name of ATTRIBUTES) assert.ok(table.includes(`\`${name}`), name);
    for (const flag of FLAGS) assert.match(table, new RegExp(`\\b${flag}\\b`));
  });

  test("a folder is read as includedir reads it; files include others", (t) => {
    const entry = (name: string, ...lines: string[]) =>
      `service ${name}\n{\n${["type = INTERNAL", ...lines].join("\n")}\n}\n`;
    const home = folder(t, {
      "b": entry("echo", "socket_type = stream"),
      "a": entry("echo", "socket_type = dgram", "flags = IPv6"),
      "left.out": "nonsense",
      "left~": "nonsense",
    });
    const found = importServices(home).map(({ name, service }) => [name, service]);
    assert.deepEqual(found, [
      ["echo", { plugin: "echo", listen: "udp://*:echo" }],
      ["echo-tcp", { plugin: "echo", listen: "tcp://0.0.0.0:echo" }],
    ]);
    const main = folder(t, { conf: `includedir ${home}\ndefaults\n{\n\tbind = 127.0.0.1\n}\n` });
    assert.equal(importServices(join(main, "conf"))[0]!.service["listen"], "udp://127.0.0.1:echo");
    const round = folder(t, {});
    const self = folder(t, { "x.conf": `include ${round}/none\n` });
    assert.throws(() => importServices(join(self, "x.conf")), /x\.conf:1: a file that can be read/);
  });

  for (
    const [text, message] of [
      ["service a\n{\n port 7\n}\n", /conf:3: "NAME = VALUE"/],
      ["service a\n{\n port = 7\n", /conf:1: a closing "}" of a/],
      ["service a\nport = 7\n}\n", /conf:2: "{"/],
      ["defaults\n{\n}\nsevrice a\n{\n}\n", /conf:4: "service NAME"/],
    ] as const
  ) {
    test(`refused, with its place: ${JSON.stringify(text)}`, (t) => {
      assert.throws(() => imported(t, "x.conf", text), { code: "CONFIG_UNREADABLE", message });
    });
  }

  test("a file that includes itself is refused", (t) => {
    const home = folder(t, {});
    const file = join(home, "loop");
    writeFileSync(file, `include ${file}\n`);
    assert.throws(() => importServices(file), /loop:1: .*more than 1000 files/);
  });
});

test("addresses of only_from and no_access", () => {
  const table: [string, string[]][] = [
    ["0.0.0.0", ["0.0.0.0/0"]],
    ["10.1.0.0", ["10.1.0.0/16"]],
    ["10.1.2", ["10.1.2.0/24"]],
    ["10.1.2.3", ["10.1.2.3"]],
    ["10.1.2.{3,4}", ["10.1.2.3", "10.1.2.4"]],
    ["10.0.0.0/12", ["10.0.0.0/12"]],
    ["2001:db8::/32", ["2001:db8::/32"]],
    ["::1", ["::1"]],
  ];
  for (const [word, rules] of table) assert.deepEqual(rulesOf([word]), { rules, names: [] });
  for (const word of ["localhost", "host.example.com", ".example.com", ".com"]) {
    assert.deepEqual(rulesOf([word]), { rules: [word], names: [] });
  }
  for (const word of ["localnet", "host", "10.1.2.300", "a..b", "10.1.2.3a"]) {
    assert.deepEqual(rulesOf([word]), { rules: [], names: [word] });
  }
});

test("nobody is let in whom xinetd keeps out", (t) => {
  const entry = (name: string, ...lines: string[]) =>
    `service ${name}\n{\ntype = INTERNAL\nsocket_type = stream\n${lines.join("\n")}\n}\n`;
  const none = { allow: [] };
  const found = imported(
    t,
    "x.conf",
    entry("echo", "only_from =") +
      entry("time", "only_from = .example.com", "no_access = 10.0.0.1") +
      entry("discard", "no_access = evil.example.com .example.net") +
      entry("discard2", "no_access = localnet") +
      entry("daytime", "access_times = 2:00-9:00 12:00-24:00") +
      entry("chargen", "only_from = ::1", "access_times = 18:00-8:00"),
  );
  // Both ends of a span are in it, with the whole of their minute.
  assert.deepEqual(found["daytime"]!.service["access"], {
    allow: [{ from: ["0.0.0.0/0", "::/0"], times: ["02:00-09:01", "12:00-24:00"] }],
  });
  assert.deepEqual(found["chargen"]!.service["access"], none);
  assert.deepEqual(found["chargen"]!.remarks, ["access_times: 18:00-8:00 is no HH:MM-HH:MM"]);
  assert.deepEqual(found["echo"]!.service["access"], none);
  assert.deepEqual(found["time"]!.service["access"], {
    allow: [".example.com"],
    deny: ["10.0.0.1"],
  });
  assert.deepEqual(found["discard"]!.service["access"], {
    deny: ["evil.example.com", ".example.net"],
  });
  assert.match(found["discard2"]!.off!, /no_access has names of networks \(localnet\)/);
});

test("the manifest of a configuration passes its check; what is off is a comment", async (t) => {
  const home = folder(t, {
    "inetd.conf":
      "127.0.0.1:0 stream tcp nowait root /bin/cat cat\npop3 stream tcp wait root /a a\n",
  });
  const file = join(home, "inetd.conf");
  const to = join(home, "portico.json");
  const made = await portico("import", file, "--to", to);
  assert.equal(made.code, 0, made.err);
  assert.match(made.err, /2 services: 1 in the manifest, 1 as comments in it; 0 remarks/);
  assert.equal(readFileSync(to, "utf8"), renderManifest(importServices(file), file));
  assert.match(readFileSync(to, "utf8"), /Off: wait = yes.*\n +\/\/ "pop3": \{/);
  const checked = await portico("check", to);
  assert.equal(checked.code, 0, checked.err);
  const again = await portico("import", file, "--to", to);
  assert.equal(again.code, 2);
  assert.match(again.err, /a new file at /);
  const { services } = JSON.parse((await portico("import", file, "--json")).out);
  assert.deepEqual(Object.keys(services), ["0"]);
});
