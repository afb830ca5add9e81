/**
 * MMX and SSE registers by gdb's names.
 * Sources: gdb `features/i386/32bit-sse.xml` (xmm0–7, mxcsr); mm0–7 are gdb's pseudo-registers.
 * @module
 */
import type { Core } from "../execute/core.ts";
import { FPU_REGISTERS, MXCSR, MXCSR_MASK, XMM } from "../state/layout.ts";
import type { RegisterUnit } from "../state/registers.ts";

/** mm0–mm7: the significands of the x87 registers by physical number. Writing one sets its exponent bits. */
export function mmxRegisters({ u8 }: Core): RegisterUnit {
  const address = (name: string): number => FPU_REGISTERS + Number(name[2]) * 16;
  return {
    feature: "org.gnu.gdb.i386.core",
    sizes: new Map(Array.from({ length: 8 }, (_, i) => [`mm${i}`, 8] as const)),
    read: (name) => u8.slice(address(name), address(name) + 8),
    write(name, bytes) {
      u8.set(bytes, address(name));
      u8.fill(0xff, address(name) + 8, address(name) + 10);
    },
  };
}
/** xmm0–xmm7 and mxcsr, of which only the bits that exist are written. */
export function sseRegisters({ u8, view, i32 }: Core): RegisterUnit {
  const address = (name: string): number => name === "mxcsr" ? MXCSR : XMM + Number(name[3]) * 16;
  const sizes = new Map<string, number>([
    ...Array.from({ length: 8 }, (_, i) => [`xmm${i}`, 16] as const),
    ["mxcsr", 4],
  ]);
  return {
    feature: "org.gnu.gdb.i386.sse",
    sizes,
    read: (name) => u8.slice(address(name), address(name) + (sizes.get(name) as number)),
    write(name, bytes) {
      u8.set(bytes, address(name));
      if (name === "mxcsr") {
        i32[MXCSR >> 2] = view.getInt32(MXCSR, true) & (i32[MXCSR_MASK >> 2] as number);
      }
    },
  };
}
