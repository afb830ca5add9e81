/**
 * Where in a plugin's source a mistake was made.
 *
 * @module
 */

const OWN = new URL("../../", import.meta.url).href;
/** The program's own folders: what throws there was called by a plugin. */
const MACHINE = ["cpu/", "devices/", "plugins/host/"].map((folder) => OWN + folder);
/** `file:///path/plugin.ts:12:5` in a line of a stack. */
const PLACE = /((?:file|https?):\/\/[^\s()]+):(\d+):\d+/;

/** ` at plugin.ts:12`, of the first line of the error's stack that is no code of the machine's; "" without one. */
export function failurePlace(error: unknown): string {
  if (!(error instanceof Error)) return "";
  for (const line of (error.stack ?? "").split("\n")) {
    const [, file, number] = PLACE.exec(line) ?? [];
    if (file === undefined) continue;
    const own = MACHINE.some((folder) => file.startsWith(folder)) && !file.endsWith("_test.ts");
    if (!own) return ` at ${file.slice(file.lastIndexOf("/") + 1).replace(/\?.*/, "")}:${number}`;
  }
  return "";
}
