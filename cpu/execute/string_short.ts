/**
 * Short moves and fills, as compilers and C libraries have most of them: all elements in one page that the TLB has,
 * upwards, not one into another. Everything else is a run (string_runs.ts).
 * Sources: SDM vol. 1 §7.3.9.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Size } from "./form.ts";
import type { Runtime } from "./runtime.ts";
import { I32, I64, V128, type WasmFunction } from "./wasm.ts";

/** Most elements: they end no chunk of a repeated instruction, so nothing is to be counted. */
export const SHORT = 64;

/** Turns the linear address in a local into its place if `bytes` from there on are in a page of the TLB; else returns 0. */
function lookup(f: WasmFunction, table: number, address: number, bytes: number): void {
  const entry = f.local();
  f.loadAt(table).get(address).i32(10).shrU().i32(0x3ffffc).and().add().load().i32(L.TLB_DIRECT);
  f.sub().tee(entry).i32(1).and();
  f.get(address).i32(0xfff).and().get(bytes).add().i32(0x1000).gtU().or();
  f.if(undefined, false).i32(0).return().end();
  f.get(address).get(entry).add().set(address);
}

/** The function (count 1…{@link SHORT}, to, value of the size) → 1 when all is stored, or 0 when nothing is. */
export function shortStore(runtime: Runtime, size: Size): number {
  return runtime.shared(`shortStore${size}`, [I32, I32, I32], [I32], (f) => {
    const [bytes, to, value] = [0, 1, 2];
    const [end, pattern, wide] = [f.local(), f.local(V128), f.local(I64)];
    f.get(0).i32(size === 4 ? 2 : size - 1).shl().set(bytes);
    lookup(f, L.TLB_WRITE, to, bytes);
    if (size < 4) f.get(value).i32(size === 1 ? 0x1010101 : 0x10001).mul().set(value);
    f.get(to).get(bytes).add().set(end);
    // The last piece overlaps the one before: the pattern's period divides both distances.
    f.get(bytes).i32(15).gtU().if();
    f.get(value).vector("i32x4.splat").set(pattern);
    f.loop().get(to).get(pattern).vectorMemory("v128.store").get(to).i32(16).add().tee(to);
    f.i32(16).add().get(end).ltU().brIf(0).end();
    f.get(end).i32(16).sub().get(pattern).vectorMemory("v128.store");
    f.i32(1).return().end();
    f.get(bytes).i32(7).gtU().if();
    f.get(value).op("i64.extend_i32_u").i64(0x100000001n).op("i64.mul").set(wide);
    f.get(to).get(wide).memory("i64.store").get(end).i32(8).sub().get(wide).memory("i64.store");
    f.i32(1).return().end();
    if (size < 4) {
      f.get(bytes).i32(4).ltU().if();
      f.get(to).get(value).memory(size === 1 ? "i32.store8" : "i32.store16");
      if (size === 1) {
        f.get(bytes).i32(1).gtU().if();
        f.get(to).get(value).memory("i32.store8", 1).get(end).i32(1).sub().get(value);
        f.memory("i32.store8").end();
      }
      f.i32(1).return().end();
    }
    f.get(to).get(value).store().get(end).i32(4).sub().get(value).store().i32(1);
  });
}

/** The function (count 1…{@link SHORT}, from, to) → 1 when all is moved, or 0 when nothing is. */
export function shortMove(runtime: Runtime, size: Size): number {
  return runtime.shared(`shortMove${size}`, [I32, I32, I32], [I32], (f) => {
    const [bytes, from, to] = [0, 1, 2];
    const [end, last, first, wide] = [f.local(), f.local(V128), f.local(I64), f.local(I64)];
    f.get(0).i32(size === 4 ? 2 : size - 1).shl().set(bytes);
    lookup(f, L.TLB_READ, from, bytes);
    lookup(f, L.TLB_WRITE, to, bytes);
    // A destination that begins inside the source repeats a pattern.
    f.get(to).get(from).sub().i32(1).sub().get(bytes).i32(1).sub().ltU();
    f.if(undefined, false).i32(0).return().end();
    // The last piece is read before anything is written, and overlaps the one before.
    f.get(to).get(bytes).add().set(end);
    f.get(bytes).i32(15).gtU().if();
    f.get(from).get(bytes).add().i32(16).sub().vectorMemory("v128.load").set(last);
    f.loop().get(to).get(from).vectorMemory("v128.load").vectorMemory("v128.store");
    f.get(from).i32(16).add().set(from).get(to).i32(16).add().tee(to);
    f.i32(16).add().get(end).ltU().brIf(0).end();
    f.get(end).i32(16).sub().get(last).vectorMemory("v128.store").i32(1).return().end();
    const halves = (
      load: "i64.load" | "i64.load32_u",
      store: "i64.store" | "i64.store32",
    ): void => {
      const half = load === "i64.load" ? 8 : 4;
      f.get(from).memory(load).set(first);
      f.get(from).get(bytes).add().i32(half).sub().memory(load).set(wide);
      f.get(to).get(first).memory(store).get(end).i32(half).sub().get(wide).memory(store);
      f.i32(1).return();
    };
    f.get(bytes).i32(7).gtU().if();
    halves("i64.load", "i64.store");
    f.end();
    if (size < 4) {
      f.get(bytes).i32(4).ltU().if();
      f.get(to).get(from).memory(size === 1 ? "i32.load8_u" : "i32.load16_u");
      f.memory(size === 1 ? "i32.store8" : "i32.store16");
      if (size === 1) {
        // Two or three bytes, one by one.
        f.get(bytes).i32(1).gtU().if();
        f.get(to).get(from).memory("i32.load8_u", 1).memory("i32.store8", 1).end();
        f.get(bytes).i32(2).gtU().if();
        f.get(to).get(from).memory("i32.load8_u", 2).memory("i32.store8", 2).end();
      }
      f.i32(1).return().end();
    }
    halves("i64.load32_u", "i64.store32");
    f.op("unreachable");
  });
}

/** What regions import. */
export function shortRuns(runtime: Runtime): Record<string, number> {
  const out: Record<string, number> = {};
  for (const size of [1, 2, 4] as const) {
    out[`shortStore${size}`] = shortStore(runtime, size);
    out[`shortMove${size}`] = shortMove(runtime, size);
  }
  return out;
}
