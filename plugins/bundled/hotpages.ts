/**
 * The pages of memory that are accessed most, as QEMU's `hotpages`: by physical address, RAM or devices.
 *
 * @module
 */
import { type AnyPlugin, definePlugin } from "../api/mod.ts";

/** The bundled plugin `hotpages`. */
export const plugin: AnyPlugin = definePlugin({
  name: "hotpages",
  description: "the pages that are read and written most",
  options: {
    sortby: { type: "string", help: "reads, writes, address or total", default: "total" },
    io: { type: "boolean", help: "devices instead of RAM", default: false },
    pagesize: { type: "number", help: "bytes of a page, a power of two", default: 4096 },
    limit: { type: "number", help: "how many pages to print", default: 50 },
  },
  install(host, { sortby, io, pagesize, limit }) {
    if (!["reads", "writes", "address", "total"].includes(sortby)) {
      throw new RangeError(`sortby is reads, writes, address or total, not "${sortby}"`);
    }
    if (!(pagesize >= 1 && Number.isInteger(Math.log2(pagesize)))) {
      throw new RangeError(`pagesize is a power of two, not ${pagesize}`);
    }
    const pages = new Map<number, { reads: number; writes: number }>();
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        instruction.onMemory((access) => {
          if (access.io !== io) return;
          const address = access.physical - access.physical % pagesize;
          const page = pages.get(address) ?? { reads: 0, writes: 0 };
          if (access.write) page.writes++;
          else page.reads++;
          pages.set(address, page);
        });
      }
    });
    host.atExit(() => {
      const rows = [...pages].map(([address, page]) => ({
        address,
        ...page,
        total: page.reads + page.writes,
      }));
      const key = sortby as "reads" | "writes" | "address" | "total";
      rows.sort((a, b) =>
        key === "address" ? a.address - b.address : b[key] - a[key] || a.address - b.address
      );
      host.out("page, reads, writes\n");
      for (const { address, reads, writes } of rows.slice(0, limit)) {
        host.out(`0x${address.toString(16).padStart(8, "0")}, ${reads}, ${writes}\n`);
      }
    });
  },
});
