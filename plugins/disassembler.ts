/**
 * Disassembly for plugins, by the `iced-x86` library, which is loaded when it is first asked for.
 *
 * @module
 */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, Mnemonic } from "iced-x86";

let formatter: Formatter | undefined;

/** One instruction's text. */
export interface Disassembly {
  readonly text: string;
  readonly mnemonic: string;
}

/** Disassembles the first instruction of `bytes` that stands at linear `address`. */
export function disassemble(bytes: Uint8Array, address: number, bits: 16 | 32): Disassembly {
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
