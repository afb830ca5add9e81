/**
 * The decoder's two-byte map with all mandatory prefixes against iced-x86: which encodings there are, how long, and
 * whether they have a memory operand.
 * @module
 */
import assert from "node:assert/strict";
import { CpuidFeature, Decoder as Iced, DecoderOptions, Mnemonic, OpKind } from "iced-x86";
import { Decoder, Instruction } from "./decode.ts";
import { SIMD } from "./simd.ts";
import { SIMD_FLOAT } from "./simd_float.ts";
import { INTEGER } from "./table.ts";

const decoder = new Decoder([...INTEGER, ...SIMD, ...SIMD_FLOAT]);
const out = new Instruction();
const OURS = new Set([
  CpuidFeature.MMX,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.FXSR,
  CpuidFeature.CLFSH,
]);
const PREFIXES: readonly (readonly number[])[] = [
  [],
  [0x66],
  [0xf3],
  [0xf2],
  [0x66, 0xf3],
  [0xf2, 0x66],
  [0xf2, 0xf3],
  [0xf3, 0xf2],
  [0x66, 0xf3, 0xf2, 0x66],
];

Deno.test("MMX, SSE and SSE2 decode as iced-x86 has them, with all prefixes and ModRM bytes", () => {
  let compared = 0;
  for (const prefixes of PREFIXES) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let modrm = 0; modrm < 256; modrm++) {
        const tail = [modrm, 0x24, 1, 2, 3, 4, 5, 6];
        const bytes = new Uint8Array([...prefixes, 0x0f, opcode, ...tail]);
        const iced = new Iced(32, bytes, DecoderOptions.None);
        const instruction = iced.decode();
        const valid = iced.lastError === 0;
        const features = valid ? instruction.cpuidFeatures() : new Int32Array();
        const simd = features.some((feature) => OURS.has(feature)) &&
          features.every((feature) => OURS.has(feature)) &&
          instruction.mnemonic !== Mnemonic.Pause;
        const length = instruction.length;
        const memory = Array.from({ length: instruction.opCount }, (_, i) => instruction.opKind(i))
          .includes(OpKind.Memory);
        instruction.free();
        iced.free();
        const ours = decoder.decode(bytes, 0, bytes.length, 0x1000, true, out);
        const feature = ours > 0 ? out.entry?.row[4] : undefined;
        const vector = ["mmx", "sse", "sse2", "fxsr"].includes(feature ?? "");
        const shown = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
        if (simd) {
          assert.equal(ours, length, `${shown}: a length by iced-x86`);
          assert.equal(out.isMemory, memory, shown);
          compared++;
        } else assert.ok(!vector, `${shown}: ours is ${out.entry?.row.join(" | ")}`);
      }
    }
  }
  assert.ok(compared > 80_000, `${compared} encodings`);
});
