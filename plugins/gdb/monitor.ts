/**
 * `monitor` commands: what gdb itself has no words for.
 *
 * @module
 */
import type { PluginHost } from "../api/mod.ts";

/** One command. */
export interface MonitorCommand {
  /** What the user types first. */
  readonly name: string;
  /** One line for `monitor help`, beginning with the arguments, if there are any. */
  readonly help: string;
  /** Answers, with a newline at the end. */
  run(words: readonly string[], host: PluginHost): string;
}

const CONTROL = ["cr0", "cr2", "cr3", "cr4"] as const;
const GENERAL = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"] as const;
const SEGMENTS = ["cs", "ss", "ds", "es", "fs", "gs"] as const;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const PRESENT = 1;
const LARGE = 0x80;

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
/** What an address may be given as: `c0100000`, `0xc0100000`, `$esp`, a kernel symbol. */
function address(word: string | undefined, host: PluginHost): number | undefined {
  if (word === undefined) return undefined;
  if (word.startsWith("$")) {
    const register = host.registers().find(({ name }) => name === word.slice(1));
    return register?.bytes === 4 ? host.readRegister(register.name) : undefined;
  }
  if (/^(0x)?[0-9a-fA-F]{1,8}$/.test(word)) return Number.parseInt(word, 16);
  return host.symbols.find(word);
}

const COMMANDS: readonly MonitorCommand[] = [
  {
    name: "registers",
    help: "general, segment and control registers and tables",
    run: (_words, host) => {
      const read = (name: string): string => hex(host.readRegister(name));
      const lines = [
        GENERAL.map((name) => `${name}=${read(name)}`).join(" "),
        `eip=${read("eip")} eflags=${read("eflags")} cpl=${host.readRegister("cpl")}`,
        ...SEGMENTS.map((name) => `${name}=${read(name).slice(4)} base=${read(`${name}_base`)}`),
        CONTROL.map((name) => `${name}=${read(name)}`).join(" "),
        `gdt=${read("gdt_base")}:${read("gdt_limit").slice(4)} ` +
        `idt=${read("idt_base")}:${read("idt_limit").slice(4)}`,
      ];
      return `${lines.join("\n")}\n`;
    },
  },
  {
    name: "translate",
    help:
      "ADDRESS|$REGISTER|SYMBOL: the physical address, with the page tables' entries on the way",
    run: (words, host) => {
      const linear = address(words[0], host);
      if (linear === undefined) {
        return "Give an address in hexadecimal, a register like $esp or a symbol.\n";
      }
      return `${walk(linear, host).join("\n")}\n`;
    },
  },
  {
    name: "symbol",
    help: "ADDRESS|$REGISTER|SYMBOL: what is at an address, or where a symbol is",
    run: (words, host) => {
      const place = address(words[0], host);
      if (place === undefined) return `There is no symbol "${words[0] ?? ""}".\n`;
      const found = host.symbols.at(place);
      return found === undefined
        ? `${hex(place)}: no symbol\n`
        : `${hex(place)}: ${found.name}+0x${found.offset.toString(16)} (${found.image})\n`;
    },
  },
  {
    name: "stack",
    help: "the stack with symbols of the kernel and of the program",
    run: (_words, host) =>
      host.stack().map(({ address: place, symbol, user }, i) =>
        `#${i} ${hex(place)} ${
          symbol === undefined ? "?" : `${symbol.name}+0x${symbol.offset.toString(16)}`
        }${user ? " (user)" : ""}\n`
      ).join(""),
  },
  {
    name: "when",
    help: "instructions and virtual time since power-on",
    run: (_words, host) =>
      `${host.instructions} instructions, ${(host.timeNs / 1e6).toFixed(3)} ms of virtual time\n`,
  },
];

/** The walk of an address through the tables, a line a level (SDM vol. 3A §4.3, §4.4). */
function walk(linear: number, host: PluginHost): string[] {
  const physical = host.translate(linear);
  const end = physical === undefined ? `${hex(linear)} is not mapped` : `physical ${hex(physical)}`;
  if ((host.readRegister("cr0") & CR0_PG) === 0) return ["no paging", end];
  const cr4 = host.readRegister("cr4");
  const pae = (cr4 & CR4_PAE) !== 0;
  const bytes = pae ? 8 : 4;
  const lines: string[] = [];
  let table = host.readRegister("cr3") & (pae ? ~0x1f : ~0xfff);
  const levels = pae
    ? [["PDPTE", 30, 3], ["PDE", 21, 0x1ff], ["PTE", 12, 0x1ff]] as const
    : [["PDE", 22, 0x3ff], ["PTE", 12, 0x3ff]] as const;
  for (const [name, shift, mask] of levels) {
    const at = ((table >>> 0) + ((linear >>> shift) & mask) * bytes) >>> 0;
    const entry = host.readPhysical(at, bytes);
    if (entry === undefined) {
      lines.push(`${name} at ${hex(at)}: outside of memory`);
      break;
    }
    const low = new DataView(entry.buffer).getUint32(0, true);
    const flags = ["P", "W", "U", "WT", "CD", "A", "D", "S", "G"].filter((_, i) => low & (1 << i));
    lines.push(`${name} at ${hex(at)}: ${entry.toReversed().toHex()} ${flags.join(" ")}`);
    const large = name === "PDE" && (low & LARGE) !== 0 && (pae || (cr4 & CR4_PSE) !== 0);
    if ((low & PRESENT) === 0 || large) break;
    table = low & ~0xfff;
  }
  return [...lines, end];
}

/** Runs a line; returns what to print. */
export function runMonitor(
  line: string,
  more: readonly MonitorCommand[],
  host: PluginHost,
): string {
  const [name = "", ...words] = line.split(/\s+/);
  const all = [...COMMANDS, ...more].sort((a, b) => a.name < b.name ? -1 : 1);
  const found = all.find((command) => command.name === name);
  if (found !== undefined) return found.run(words, host);
  const unknown = name === "" || name === "help" ? "" : `There is no command "${name}".\n`;
  const width = Math.max(...all.map((command) => command.name.length));
  return unknown + all.map((one) => `${one.name.padEnd(width)}  ${one.help}\n`).join("");
}
