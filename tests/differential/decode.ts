/**
 * The decoder against iced-x86: every one- and two-byte opcode with every ModRM byte under prefixes, every SIB byte, and
 * random bytes, in 32- and 16-bit code.
 *
 *     deno task fuzz:decode [--seed N] [--count N]
 *
 * Count is random byte strings, a million if not given. Where the two may differ is listed in {@link DEVIATIONS}.
 * @module
 */
import { DecodeOracle } from "./decode_oracle.ts";
import { Random } from "./random.ts";

/** A difference with its reason: by what differs and the mnemonic of iced-x86. */
export interface DecodeDeviation {
  readonly reason: string;
  readonly explains: (what: string, mnemonic: string) => boolean;
}

export const DEVIATIONS: readonly DecodeDeviation[] = [
  {
    reason: "selectors have 16 bits; iced-x86 names the register by the operand size",
    explains: (what, mnemonic) =>
      /^operand \d: 2 bytes/.test(what) &&
      /^(Arpl|Smsw|Lmsw|Verw|Verr|Str|Sldt|Ltr|Lldt|Pinsrw)$/.test(mnemonic),
  },
  {
    reason: "hints of later processors are NOPs, and reserved ones too (SDM vol. 2, NOP)",
    explains: (what) => /^ours is 0F (0D|1[89A-F]) \| nop \|/.test(what),
  },
  {
    reason: "which control and debug registers there are is the instruction's to say (#UD)",
    explains: (what) => /^ours is 0F 2[0-3] /.test(what),
  },
  {
    reason: "UD0 is not an instruction of this table: #UD as well",
    explains: (what, mnemonic) => what === "ours is undefined" && mnemonic === "Ud0",
  },
  {
    reason: "F3 in front of BSF, BSR and WBINVD is ignored: TZCNT, LZCNT and WBNOINVD came later",
    explains: (what) => /^ours is 0F (BC|BD|09) .*later/.test(what),
  },
];

const PREFIXES: readonly (readonly number[])[] = [
  [],
  [0x66],
  [0x67],
  [0x2e],
  [0x65],
  [0xf2],
  [0xf3],
  [0xf0],
  [0x66, 0x67],
  [0x66, 0xf3],
  [0xf2, 0x66, 0x36],
];
const ALL_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/** What a comparison found. */
export interface DecodeReport {
  encodings: number;
  readonly oracle: DecodeOracle;
  /** Differences without a reason, at most 20. */
  readonly unexplained: string[];
  /** Reasons that were needed. */
  readonly used: Set<string>;
}

/** Compares: of the maps every `stride`th ModRM byte, and `count` random byte strings. */
export function compareDecoders(
  options: { seed: number; count: number; stride: number },
): DecodeReport {
  const random = new Random(options.seed);
  const oracle = new DecodeOracle();
  const report: DecodeReport = { encodings: 0, oracle, unexplained: [], used: new Set() };
  const run = (encodings: Uint8Array[], big: boolean): void => {
    report.encodings += encodings.length;
    oracle.run(encodings, big, (bytes, what, mnemonic) => {
      const rule = DEVIATIONS.find(({ explains }) => explains(what, mnemonic));
      if (rule) report.used.add(rule.reason);
      else if (report.unexplained.length < 20) {
        const shown = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
        report.unexplained.push(`${shown} (${big ? 32 : 16} bits): ${what}, iced-x86: ${mnemonic}`);
      }
    });
  };
  for (const big of [true, false]) {
    for (const prefixes of PREFIXES) {
      for (const escape of [[], [0x0f]]) {
        const encodings: Uint8Array[] = [];
        for (let opcode = 0; opcode < 256; opcode++) {
          if (escape.length === 0 && opcode === 0x0f) continue;
          for (let modrm = random.below(options.stride); modrm < 256; modrm += options.stride) {
            encodings.push(
              new Uint8Array([...prefixes, ...escape, opcode, modrm, ...random.bytes(9)]),
            );
          }
        }
        run(encodings, big);
      }
    }
    const bases = [0x04, 0x44, 0x84].flatMap((modrm) =>
      Array.from({ length: 256 }, (_, sib) => new Uint8Array([0x8b, modrm, sib, 1, 2, 3, 0x84]))
    );
    run(bases, true);
  }
  for (let done = 0; done < options.count; done += 10_000) {
    const encodings = Array.from({ length: Math.min(10_000, options.count - done) }, () => {
      const prefixes = Array.from({ length: random.below(4) }, () => random.pick(ALL_PREFIXES));
      return new Uint8Array([...prefixes, ...random.bytes(15 - prefixes.length)]);
    });
    run(encodings, random.oneIn(2));
  }
  return report;
}

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

if (import.meta.main) {
  const report = compareDecoders({
    seed: option("seed", 1),
    count: option("count", 1_000_000),
    stride: 1,
  });
  const { encodings, oracle, unexplained, used } = report;
  for (const line of unexplained) console.log(line);
  console.log(
    `${encodings} encodings: ${oracle.compared} with all operands, ${oracle.lengths} with length, memory and ` +
      `immediates, ${unexplained.length} differences without a reason`,
  );
  for (const reason of used) console.log(`known: ${reason}`);
  if (unexplained.length > 0) Deno.exitCode = 1;
}
