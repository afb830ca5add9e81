/**
 * Interrupts, exceptions, INT n and returns, as QEMU's `traps`; here by vector.
 *
 * @module
 */
import { type AnyPlugin, definePlugin } from "../api/mod.ts";

/** SDM vol. 3A Table 6-1. */
const EXCEPTIONS = "#DE #DB NMI #BP #OF #BR #UD #NM #DF - #TS #NP #SS #GP #PF - #MF #AC #MC #XM"
  .split(" ");

/** The bundled plugin `traps`. */
export const plugin: AnyPlugin = definePlugin({
  name: "traps",
  description: "interrupts, exceptions and INT n by vector",
  install(host) {
    const counts = new Map<string, number>();
    host.onDiscontinuity(({ type, vector }) => {
      const name = type === "exception" ? ` ${EXCEPTIONS[vector] ?? ""}`.trimEnd() : "";
      const key = type === "iret" ? "iret" : `${type}, ${vector}${name}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    });
    host.atExit(() => {
      host.out("count, type, vector\n");
      const rows = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
      for (const [key, count] of rows) host.out(`${count}, ${key}\n`);
    });
  },
});
