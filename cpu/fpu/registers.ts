/**
 * The x87's registers by gdb's names.
 * Sources: gdb `features/i386/32bit-core.xml` (st0–7, fctrl … fop); SDM vol. 1 §8.1.
 * @module
 */
import type { Core } from "../execute/core.ts";
import {
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_STATUS,
  FPU_TOP,
} from "../state/layout.ts";
import type { RegisterUnit } from "../state/registers.ts";
import { fullTags, setControlAndStatus, setFullTags } from "./environment.ts";

const STACK_BYTES = 10;
/** Plain words: name to state offset. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["fiseg", FPU_CS],
  ["fioff", FPU_IP],
  ["foseg", FPU_DS],
  ["fooff", FPU_DP],
  ["fop", FPU_OPCODE],
]);

/** st0–st7 in stack order, control, status with TOP, full tags, pointers and opcode. */
export function fpuRegisters(core: Core): RegisterUnit {
  const { i32, u8 } = core;
  const status = (): number =>
    (i32[FPU_STATUS >> 2] as number) | ((i32[FPU_TOP >> 2] as number) << 11);
  const stackAddress = (name: string): number =>
    FPU_REGISTERS + (((i32[FPU_TOP >> 2] as number) + Number(name[2])) & 7) * 16;
  return {
    feature: "org.gnu.gdb.i386.core",
    sizes: new Map([
      ...Array.from({ length: 8 }, (_, i) => [`st${i}`, STACK_BYTES] as const),
      ...["fctrl", "fstat", "ftag", ...WORDS.keys()].map((name) => [name, 4] as const),
    ]),
    read(name) {
      if (name.startsWith("st")) {
        const at = stackAddress(name);
        return u8.slice(at, at + STACK_BYTES);
      }
      const bytes = new Uint8Array(4);
      let value = 0;
      if (name === "fctrl") value = i32[FPU_CONTROL >> 2] as number;
      else if (name === "fstat") value = status();
      else if (name === "ftag") value = fullTags(core);
      else value = i32[(WORDS.get(name) as number) >> 2] as number;
      new DataView(bytes.buffer).setInt32(0, value, true);
      return bytes;
    },
    write(name, bytes) {
      if (name.startsWith("st")) return u8.set(bytes, stackAddress(name));
      const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
      if (name === "fctrl") setControlAndStatus(core, value, status());
      else if (name === "fstat") setControlAndStatus(core, i32[FPU_CONTROL >> 2] as number, value);
      else if (name === "ftag") setFullTags(core, value);
      else i32[(WORDS.get(name) as number) >> 2] = value;
    },
  };
}
