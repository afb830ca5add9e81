/**
 * Executed instructions by class, as QEMU's `howvec`, which knows no classes of x86; these are by mnemonic.
 *
 * @module
 */
import { type AnyPlugin, definePlugin, type U64 } from "../api/mod.ts";

/** Class, and its mnemonics; the first that matches counts. */
const CLASSES: readonly (readonly [string, RegExp])[] = [
  ["branch", /^(j(?!mp$)\w+|loop\w*)$/],
  ["jump", /^jmp\w*$/],
  ["call and return", /^(call\w*|ret\w*)$/],
  [
    "system",
    /^(int\w*|into|iret\w*|sys\w+|hlt|cli|sti|in|out|ins[bwd]|outs[bwd]|[ls][gil]dt|[ls]tr|[ls]msw|clts|invlpg|wbinvd|invd|rdtsc|rdmsr|wrmsr|rdpmc|cpuid|lar|lsl|ver[rw]|arpl|bound)$/,
  ],
  ["string", /^(movs[bwd]|cmps[bwd]|scas[bwd]|lods[bwd]|stos[bwd])$/],
  ["stack", /^(push\w*|pop\w*(?<!popcnt)|enter|leave)$/],
  ["x87", /^(f\w+|wait)$/],
  ["multiply and divide", /^(i?mul|i?div)$/],
  ["shift and bit", /^(sh[lr]d?|sa[lr]|ro[lr]|rc[lr]|bt[src]?|bs[fr])$/],
  [
    "move",
    /^(mov|movzx|movsx|movnti|lea|xchg|cmov\w+|set\w+|cbw|cwde?|cdq|xlat\w*|l[defgs]s|bswap|lahf|sahf)$/,
  ],
  [
    "arithmetic and logic",
    /^(add|adc|sub|sbb|cmp|test|and|or|xor|not|neg|inc|dec|cmpxchg\w*|xadd|aa[adms]|da[as]|cl[cd]|st[cd]|cmc)$/,
  ],
  ["nop", /^(nop|pause)$/],
  [
    "MMX and SSE",
    /^\w*(ps|pd|ss|sd|dq|mm|[bwdq])$|^(p\w+|cvt\w+|maskmov\w+|[lm]fence|sfence|emms|(ld|st)mxcsr|fx\w+)$/,
  ],
];
const OTHER = "other";

/** The class of a mnemonic. */
export function instructionClass(mnemonic: string): string {
  return CLASSES.find(([, pattern]) => pattern.test(mnemonic))?.[0] ?? OTHER;
}

/** The bundled plugin `howvec`. */
export const plugin: AnyPlugin = definePlugin({
  name: "howvec",
  description: "executed instructions by class",
  options: {
    count: { type: "string", help: "a class whose mnemonics are counted one by one", default: "" },
    verbose: { type: "boolean", help: "print classes without instructions too", default: false },
  },
  install(host, { count, verbose }) {
    const names = [...CLASSES.map(([name]) => name), OTHER];
    if (count !== "" && !names.includes(count)) {
      throw new RangeError(`There is no class "${count}"; there are: ${names.join(", ")}`);
    }
    const counters = new Map<string, U64>();
    const counter = (name: string): U64 => {
      const known = counters.get(name) ?? host.scoreboard("n").u64("n");
      counters.set(name, known);
      return known;
    };
    if (verbose) { for (const name of names) counter(name); }
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        const mnemonic = instruction.mnemonic();
        const name = instructionClass(mnemonic);
        instruction.inline("add", counter(name === count ? `${name}: ${mnemonic}` : name), 1);
      }
    });
    host.atExit(() => {
      const rows = [...counters].map(([name, n]) => ({ name, executed: n.sum() }));
      rows.sort((a, b) => Number(b.executed - a.executed) || (a.name < b.name ? -1 : 1));
      host.out("class, executed\n");
      for (const { name, executed } of rows) host.out(`${name}, ${executed}\n`);
    });
  },
});
