/**
 * Counts executed instructions by mnemonic, with inline counters: no callback runs in the guest's way.
 *
 *     deno run -A mod.ts boot disk.img --plugin examples/instruction_count.ts,top=10
 *
 * @module
 */
import { type AnyPlugin, definePlugin, type U64 } from "@overture/overture/plugins";

export const plugin: AnyPlugin = definePlugin({
  name: "instruction-count",
  description: "counts executed instructions by mnemonic",
  options: { top: { type: "number", help: "how many mnemonics to print", default: 20 } },
  install(host, options) {
    const counters = new Map<string, U64>();
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        const mnemonic = instruction.mnemonic();
        let counter = counters.get(mnemonic);
        if (counter === undefined) {
          counter = host.scoreboard("executed").u64("executed");
          counters.set(mnemonic, counter);
        }
        instruction.inline("add", counter, 1);
      }
    });
    host.atExit(() => {
      const counts = [...counters].map(([mnemonic, counter]) => ({
        mnemonic,
        value: counter.sum(),
      }));
      counts.sort((a, b) => Number(b.value - a.value) || (a.mnemonic < b.mnemonic ? -1 : 1));
      const total = counts.reduce((sum, { value }) => sum + value, 0n);
      host.out(`${total} instructions\n`);
      for (const { mnemonic, value } of counts.slice(0, options.top)) {
        host.out(`${String(value).padStart(12)}  ${mnemonic}\n`);
      }
    });
  },
});
