/**
 * Which pages of physical memory are read and written most, as a map of one character a page.
 *
 *     deno run -A mod.ts boot disk.img --plugin examples/memory_heat_map.ts,columns=64
 *
 * @module
 */
import { type AnyPlugin, definePlugin } from "@overture/overture/plugins";

const PAGE_BYTES = 4096;
/** From never touched to touched most, by orders of magnitude. */
const SHADES = " .:-=+*#%@";

export const plugin: AnyPlugin = definePlugin({
  name: "memory-heat-map",
  description: "draws which pages are accessed most",
  options: { columns: { type: "number", help: "pages a line", default: 64 } },
  install(host, options) {
    const accesses = new Float64Array(host.info.ramBytes / PAGE_BYTES);
    let device = 0;
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        instruction.onMemory(({ physical, io }) => {
          if (io) device++;
          else accesses[Math.floor(physical / PAGE_BYTES)]! += 1;
        });
      }
    });
    host.atExit(() => {
      const columns = options.columns;
      for (let page = 0; page < accesses.length; page += columns) {
        const row = accesses.subarray(page, page + columns);
        if (row.every((count) => count === 0)) continue;
        const shades = Array.from(row, (count) => {
          const level = count === 0 ? 0 : 1 + Math.floor(Math.log10(count));
          return SHADES[Math.min(level, SHADES.length - 1)];
        });
        const address = (page * PAGE_BYTES).toString(16).padStart(8, "0");
        host.out(`${address} |${shades.join("").padEnd(columns)}|\n`);
      }
      const total = accesses.reduce((sum, count) => sum + count, 0);
      host.out(
        `${total} accesses to memory, ${device} to devices; a step of shade is a factor of ten\n`,
      );
    });
  },
});
