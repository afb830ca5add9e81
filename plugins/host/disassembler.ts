/**
 * Disassembly for plugins, by the `iced-x86` library, which is loaded when it is first asked for: it is as large as
 * the rest of the program, and few plugins look at text.
 *
 * @module
 */
import { createRequire } from "node:module";
import type { Formatter } from "iced-x86";

type Library = typeof import("iced-x86");

// A plugin asks without waiting, so an import will not do; `require` finds packages for local files only.
const LOCAL = import.meta.url.startsWith("file:");
let library: Library | undefined = LOCAL ? undefined : await import("iced-x86");
let formatter: Formatter | undefined;

/** One instruction's text. */
export interface Disassembly {
  readonly text: string;
  readonly mnemonic: string;
}

/** Disassembles the first instruction of `bytes` that stands at linear `address`. */
export function disassemble(bytes: Uint8Array, address: number, bits: 16 | 32): Disassembly {
  library ??= createRequire(import.meta.url)("iced-x86") as Library;
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax, Mnemonic } = library;
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  decoder.ip = BigInt(address >>> 0);
  const instruction = decoder.decode();
  formatter ??= new Formatter(FormatterSyntax.Intel);
  const text = formatter.format(instruction);
  const mnemonic = (Mnemonic[instruction.mnemonic] ?? "(bad)").toLowerCase();
  instruction.free();
  decoder.free();
  return { text, mnemonic };
}
