/**
 * Accesses to devices, as QEMU's `hwprofile`, and to ports, which that does not see: counts by device, by place in it,
 * or by the instruction that accesses it.
 *
 * @module
 */
import { type AnyPlugin, definePlugin, wildcard } from "../api/mod.ts";

/** The bundled plugin `hwprofile`. */
export const plugin: AnyPlugin = definePlugin({
  name: "hwprofile",
  description: "accesses to devices and ports",
  options: {
    track: { type: "string", help: "read, write or all", default: "all" },
    pattern: { type: "boolean", help: "count by address or port too", default: false },
    source: { type: "boolean", help: "count by the function that accesses too", default: false },
    match: { type: "string", help: "only devices like this, 8259*", default: "*" },
  },
  install(host, { track, pattern, source, match }) {
    if (!["read", "write", "all"].includes(track)) {
      throw new RangeError(`track is read, write or all, not "${track}"`);
    }
    const wanted = wildcard(match);
    const counts = new Map<string, { reads: number; writes: number }>();
    const count = (device: string, place: string, write: boolean): void => {
      if (!wanted(device) || track === (write ? "read" : "write")) return;
      const pc = host.readRegister("eip") + host.readRegister("cs_base");
      const from = source
        ? `, from ${host.symbols.at(pc >>> 0)?.name ?? `0x${pc.toString(16)}`}`
        : "";
      const key = `${device === "" ? "nothing" : device}${pattern ? `, ${place}` : ""}${from}`;
      const entry = counts.get(key) ?? { reads: 0, writes: 0 };
      if (write) entry.writes++;
      else entry.reads++;
      counts.set(key, entry);
    };
    host.onPort(({ device, port, write }) => count(device, `port ${port.toString(16)}h`, write));
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        instruction.onMemory((access) => {
          if (!access.io) return;
          count(access.device, `0x${access.physical.toString(16)}`, access.write);
        });
      }
    });
    host.atExit(() => {
      const rows = [...counts].sort(([a, x], [b, y]) =>
        y.reads + y.writes - x.reads - x.writes || (a < b ? -1 : 1)
      );
      host.out("reads, writes, device\n");
      for (const [key, { reads, writes }] of rows) host.out(`${reads}, ${writes}, ${key}\n`);
    });
  },
});
