const USER: readonly string[] = ["uid", "gid", "pid"];

const TLS: readonly string[] = [
  "tlsVersion",
  "tlsCipher",
  "tlsServerName",
  "tlsAlpn",
  "tlsPeer",
  "tlsFingerprint",
  "tlsResumed",
];

/** Words of xinetd.conf(5) for `log_on_success` and `log_on_failure`, one of ours, and the fields that they stand for. */
export const FIELD_WORDS: Readonly<Record<string, readonly string[]>> = {
  host: ["remote"],
  duration: ["durationMs"],
  traffic: ["bytesIn", "bytesOut"],
  user: USER,
  exit: ["reason", "exit", "signal"],
  tls: TLS,
};

/** Whether one of these words or fields is about TLS. */
export function asksTls(fields: readonly string[] | undefined): boolean {
  return fields?.some((name) => name === "tls" || TLS.includes(name)) ?? false;
}

/** Whether one of these words or fields says who the peer of a Unix stream is. */
export function asksUser(fields: readonly string[] | undefined): boolean {
  return fields?.some((name) => name === "user" || USER.includes(name)) ?? false;
}
