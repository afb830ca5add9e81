/**
 * The blocks that are executed most, as QEMU's `hotblocks`; here with their function.
 *
 * @module
 */
import { type AnyPlugin, definePlugin, type U64 } from "../api/mod.ts";

interface Counted {
  readonly address: number;
  readonly instructions: number;
  readonly symbol: string;
  readonly inline: U64 | undefined;
  count: number;
}

/** The bundled plugin `hotblocks`. */
export const plugin: AnyPlugin = definePlugin({
  name: "hotblocks",
  description: "the blocks that are executed most",
  options: {
    inline: {
      type: "boolean",
      help: "count without calls, for blocks that there is room for",
      default: true,
    },
    limit: { type: "number", help: "how many blocks to print", default: 20 },
  },
  install(host, options) {
    const blocks = new Map<string, Counted>();
    let room = options.inline;
    const counter = (): U64 | undefined => {
      if (!room) return undefined;
      try {
        return host.scoreboard("executed").u64("executed");
      } catch (error) {
        // All are taken: those that come later are counted by calls.
        if (!(error instanceof RangeError)) throw error;
        room = false;
        return undefined;
      }
    };
    host.onTranslate((block) => {
      const { address, instructions } = block;
      // The same code in another address space is another block; so is other code at the address.
      const key = `${address}:${block.physical}:${instructions.length}`;
      let counted = blocks.get(key);
      if (counted === undefined) {
        const symbol = instructions[0]?.symbol() ?? "";
        counted = {
          address,
          instructions: instructions.length,
          symbol,
          inline: counter(),
          count: 0,
        };
        blocks.set(key, counted);
      }
      const one = counted;
      if (one.inline !== undefined) block.inline("add", one.inline, 1);
      else block.onExecute(() => one.count++);
    });
    host.atExit(() => {
      const all = [...blocks.values()].map((one) => ({
        ...one,
        executed: Number(one.inline?.sum() ?? one.count),
      }));
      all.sort((a, b) => b.executed - a.executed || a.address - b.address);
      host.out(`${all.length} blocks; pc, instructions, executed, function\n`);
      for (const { address, instructions, executed, symbol } of all.slice(0, options.limit)) {
        const pc = `0x${address.toString(16).padStart(8, "0")}`;
        host.out(`${pc}, ${instructions}, ${executed}, ${symbol}\n`);
      }
    });
  },
});
