/**
 * Ends the run at an instruction count or an address, as QEMU's `stoptrigger`.
 *
 * @module
 */
import { type AnyPlugin, definePlugin } from "../api/mod.ts";

/** The bundled plugin `stoptrigger`. */
export const plugin: AnyPlugin = definePlugin({
  name: "stoptrigger",
  description: "ends the run at an instruction count, an address or a kernel symbol",
  options: {
    icount: {
      type: "number",
      help: "stop when so many instructions have been executed",
      default: 0,
    },
    addr: { type: "string", help: "stop before this linear address or kernel symbol", default: "" },
  },
  install(host, { icount, addr }) {
    if (icount === 0 && addr === "") throw new RangeError("give icount=N or addr=ADDRESS");
    const stop = (why: string): void => {
      host.out(`${why} reached, after ${host.instructions} instructions\n`);
      host.stop();
    };
    if (icount > 0) host.at(icount, () => stop(`icount ${icount}`));
    if (addr === "") return;
    const address = /^0x/i.test(addr) ? Number(addr) : host.symbols.find(addr);
    if (address === undefined || !(address < 2 ** 32)) {
      throw new RangeError(`addr is an address like 0xc0100000 or a kernel symbol, not "${addr}"`);
    }
    host.onTranslate((block) => {
      block.instructions[0]?.onExecute(() => stop(`addr ${addr}`), { once: true });
    }, { range: { start: address, end: address + 1 } });
  },
});
