/**
 * Stores to pages with decoded code, in Wasm: which of them hit code.
 *
 * Each such page of RAM has a map in the arena (blocks.ts), a bit for each byte; state/layout.ts `CODE_MAPS` says
 * where. A store beside code, one to a field that is read anew each time it is executed, and one that changes
 * nothing need nobody's attention. Pages whose stores somebody else sees too (page tables) are marked, and left to
 * TypeScript.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Size } from "./form.ts";
import type { Runtime } from "./runtime.ts";
import { I32, type WasmFunction } from "./wasm.ts";

/** Told to `Runtime.ready`: a page fault may be delivered as soon as the region has left. */
export const FAULTS = 0x200;
/** Longest operand that {@link storePlace} is asked about: the bits of so many bytes are in one word. */
const LONGEST = 16;

/** Pushes the place in linear memory of the page at local 0, or returns 0 if stores to it are not for here. */
function pagePlace(f: WasmFunction, word: number, host: number, map: number): void {
  f.loadAt(L.TLB_WRITE).get(0).i32(10).shrU().i32(0x3ffffc).and().add().load().tee(word);
  f.i32(L.TLB_SEEN).and().eqz().if(undefined, false).i32(0).return().end();
  f.get(word).i32(~0xfff).and().get(0).add().set(host);
  f.get(host).i32(L.RAM_BASE).sub().i32(12).shrU().i32(2).shl().load(L.CODE_MAPS).tee(map);
  f.eqz().get(map).i32(L.CODE_MAP_TABLES).and().or().if(undefined, false).i32(0).return().end();
}

/**
 * The function (linear address, size 1…16) → place in linear memory for a store that no decoded code is in the way of,
 * or 0. It does not cross pages.
 */
export function storePlace(runtime: Runtime): number {
  return runtime.shared("storePlace", [I32, I32], [I32], (f) => {
    const [word, host, map] = [f.local(), f.local(), f.local()];
    f.get(1).i32(1).sub().i32(LONGEST - 1).gtU();
    f.get(0).i32(0xfff).and().get(1).add().i32(0x1000).gtU().or();
    f.if(undefined, false).i32(0).return().end();
    pagePlace(f, word, host, map);
    f.get(map).get(host).i32(3).shrU().i32(0x1ff).and().add().load();
    f.get(host).i32(7).and().shrU().i32(1).get(1).shl().i32(1).sub().and();
    f.if(undefined, false).i32(0).return().end();
    f.get(host);
  });
}

/** The function (linear address, value) → place for a store of a size that hits no code, or changes nothing; or 0. */
export function valuePlace(runtime: Runtime, size: 1 | 2 | 4): number {
  const load = size === 4 ? "i32.load" : size === 2 ? "i32.load16_u" : "i32.load8_u";
  const place = storePlace(runtime);
  return runtime.shared(`valuePlace${size}`, [I32, I32], [I32], (f) => {
    const [word, host, map] = [f.local(), f.local(), f.local()];
    f.get(0).i32(size).call(place).tee(host).if().get(host).return().end();
    f.get(0).i32(0xfff).and().i32(0x1000 - size).gtU().if(undefined, false).i32(0).return().end();
    pagePlace(f, word, host, map);
    f.get(host).memory(load).get(1);
    if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).and();
    f.ne().if().i32(0).return().end();
    f.get(host);
  });
}

/** The function (linear address, bytes) → place for stores to all of these bytes of one page, or 0. */
export function rangePlace(runtime: Runtime): number {
  return runtime.shared("rangePlace", [I32, I32], [I32], (f) => {
    const [word, host, map, at, end] = [f.local(), f.local(), f.local(), f.local(), f.local()];
    pagePlace(f, word, host, map);
    f.get(host).i32(0xfff).and().tee(at).get(1).add().set(end);
    f.loop().get(at).i32(7).and().get(end).get(at).sub().i32(8).ltU().or().if();
    f.get(map).get(at).i32(3).shrU().add().memory("i32.load8_u").get(at).i32(7).and().shrU();
    f.i32(1).and().if().i32(0).return().end();
    f.get(at).i32(1).add().set(at);
    f.else();
    f.get(map).get(at).i32(3).shrU().add().memory("i32.load8_u");
    f.if().i32(0).return().end();
    f.get(at).i32(8).add().set(at).end();
    f.get(at).get(end).ltU().brIf(0).end();
    f.get(host);
  });
}

/**
 * The function (linear address, value) → place for a store of a region that missed the inline path, or 0: the
 * interpreter must do it.
 */
export function storeReady(runtime: Runtime, size: 1 | 2 | 4): number {
  return runtime.shared(`storeReady${size}`, [I32, I32], [I32], (f) => {
    const host = f.local();
    f.get(0).get(1).call(valuePlace(runtime, size)).tee(host).if().get(host).return().end();
    f.get(0).i32(0x100 | FAULTS | size).call(runtime.ready());
  });
}

/** What regions import. */
export function codeStores(runtime: Runtime): Record<string, number> {
  const out: Record<string, number> = {};
  for (const size of [1, 2, 4] as const) out[`storeReady${size}`] = storeReady(runtime, size);
  return out;
}

/** Returns the place of a store of local 1, or goes on where it needs a look. For sizes but 8 bytes. */
export function storeIfPlain(runtime: Runtime, f: WasmFunction, size: Size | 8): void {
  const host = f.local();
  if (size === 8) f.get(0).i32(8).call(storePlace(runtime));
  else f.get(0).get(1).call(valuePlace(runtime, size));
  f.tee(host).if().get(host).get(1);
  f.memory(
    size === 8 ? "i64.store" : size === 4 ? "i32.store" : size === 2 ? "i32.store16" : "i32.store8",
  );
  f.return().end();
}
