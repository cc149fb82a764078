/** Starts a command where no socket of IPv6 can be made, as below systemd's RestrictAddressFamilies. */
import process from "node:process";
import { lackingPrograms } from "./packages.ts";

/** The filter of seccomp(2): socket(AF_INET6) fails with EAFNOSUPPORT. */
const LAUNCHER = `
import ctypes, os, platform, struct, sys
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
socket = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = b"".join(struct.pack("HBBI", *each) for each in [
    (LOAD, 0, 0, 0), (EQUAL, 0, 3, socket), (LOAD, 0, 0, 16), (EQUAL, 0, 1, 10),
    (RETURN, 0, 0, 0x00050000 | 97), (RETURN, 0, 0, 0x7fff0000)])
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
program = Program(len(code) // 8, code)
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit("no filter can be set")
if len(sys.argv) > 1:
    os.execvp(sys.argv[1], sys.argv[1:])
`;

/** The words that start a command so. */
export const withoutIPv6: readonly string[] = ["python3", "-c", LAUNCHER];

/** Why that cannot be had here; false when it can. */
export const lackingFilter: string | false = process.platform !== "linux"
  ? "only Linux has seccomp"
  : process.arch !== "x64" && process.arch !== "arm64"
  ? `the number of socket(2) on ${process.arch} is not known here`
  : lackingPrograms("python3");
