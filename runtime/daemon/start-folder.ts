import { keepWorkingDirectory } from "../identity/folder.ts";

/** Started in a folder that is no more, a command goes on in `/`: absolute paths work as ever. */
export function leaveRemovedFolder(): void {
  keepWorkingDirectory("/");
}
