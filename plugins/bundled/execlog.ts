/**
 * Every executed instruction with its accesses and the registers that it changed, as QEMU's `execlog` prints it:
 * `0, 0xADDRESS, 0xBYTES, "text", load, 0xADDRESS, store, 0xADDRESS, eax -> 0xVALUE`.
 *
 * @module
 */
import { type AnyPlugin, definePlugin, type PluginHost, wildcard } from "../api/mod.ts";

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The bundled plugin `execlog`. */
export const plugin: AnyPlugin = definePlugin({
  name: "execlog",
  description: "prints each executed instruction with its accesses and changed registers",
  options: {
    ifilter: { type: "string", help: "only mnemonics like this, mov*", default: "*" },
    afilter: { type: "string", help: "only the instruction at this linear address", default: "" },
    reg: { type: "string", help: "changes of registers like this, e*", default: "" },
  },
  install(host, options) {
    const wanted = wildcard(options.ifilter);
    const address = options.afilter === "" ? undefined : Number(options.afilter);
    if (address !== undefined && !Number.isInteger(address)) {
      throw new RangeError(`afilter is an address like 0xc0100000, not "${options.afilter}"`);
    }
    const changes = options.reg === "" ? undefined : new RegisterChanges(host, options.reg);
    // What an instruction did is known when the next one begins: where all are seen, that tells.
    const all = options.ifilter === "*" && address === undefined;
    let line = "";
    const flush = (): void => {
      if (line !== "") host.out(`${line}${changes?.since() ?? ""}\n`);
      line = "";
    };
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        if (address !== undefined && instruction.address !== address) continue;
        if (!wanted(instruction.mnemonic())) continue;
        const bytes = instruction.bytes().toHex();
        const text = `${hex(instruction.address)}, 0x${bytes}, "${instruction.disassembly()}"`;
        instruction.onExecute(({ index }) => {
          // Of what ran since, nobody asks.
          if (line === "") changes?.since();
          else flush();
          line = `${index}, ${text}`;
          if (!all) host.at(host.instructions + 1, flush);
        });
        instruction.onMemory((access) => {
          line += `, ${access.write ? "store" : "load"}, ${hex(access.address)}`;
          if (access.io) line += `, ${access.device}`;
        });
      }
    });
    host.atExit(flush);
  },
});

/** What registers of some names are, and were. */
class RegisterChanges {
  readonly #host: PluginHost;
  readonly #values = new Map<string, string>();

  constructor(host: PluginHost, pattern: string) {
    this.#host = host;
    const wanted = wildcard(pattern);
    for (const { name } of host.registers()) if (wanted(name)) this.#values.set(name, "");
    if (this.#values.size === 0) throw new RangeError(`No register is like "${pattern}"`);
  }
  /** `, eax -> 0x1` for each that has another value than the last time. */
  since(): string {
    let text = "";
    for (const [name, old] of this.#values) {
      const value = this.#host.readRegisterBytes(name).toReversed().toHex();
      if (value === old) continue;
      this.#values.set(name, value);
      text += `, ${name} -> 0x${value}`;
    }
    return text;
  }
}
