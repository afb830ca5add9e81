/** ChaCha20 and the generator on it. @module */
import assert from "node:assert/strict";
import { compileUnit } from "./wasm_unit.ts";

const hex = (bytes: Uint8Array) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
const unhex = (text: string) =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

Deno.test("chachaBlock() gives the block of RFC 8439 §2.3.2", async () => {
  const unit = await compileUnit({
    entry: `export * from "./kernel/drivers/random/chacha20.ts";`,
  });
  const key = unit.put(Uint8Array.from({ length: 32 }, (_, i) => i));
  const state = unit.put(new Uint8Array(64));
  const out = unit.put(new Uint8Array(64));
  unit.call["chachaInit"]!(state, key, 1);
  unit.bytes().set(unhex("000000090000004a00000000"), state + 52);
  unit.call["chachaBlock"]!(state, out);
  assert.equal(
    hex(unit.get(out, 64)),
    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
      "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
  );
});

Deno.test("chachaBlock() of the zero key gives RFC 8439 appendix A.1, vectors 1 and 2", async () => {
  const unit = await compileUnit({
    entry: `export * from "./kernel/drivers/random/chacha20.ts";`,
  });
  const key = unit.put(new Uint8Array(32));
  const state = unit.put(new Uint8Array(64));
  const out = unit.put(new Uint8Array(64));
  const want = [
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
    "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
  ];
  for (const [counter, block] of want.entries()) {
    unit.call["chachaInit"]!(state, key, counter);
    unit.call["chachaBlock"]!(state, out);
    assert.equal(hex(unit.get(out, 64)), block);
  }
});

const generator = {
  entry: `
export { randomBytes, randomReseed } from "./kernel/drivers/random/random.ts";
export { entropyAdd, entropyEvents, entropyInterrupt } from "./kernel/drivers/random/entropy.ts";
export { setTicks } from "./kernel/time/mod.ts";
`,
  fakes: {
    "kernel/mm/mod.ts": `
      export function kmalloc(n: u32): usize { return __alloc(n); }
      export function kfree(p: usize): void {}
      @unmanaged export class Transfer { n: u32; }
      export function transferOut(t: Transfer, p: usize, n: u32): i32 { return n; }
    `,
    "kernel/time/mod.ts": `
      export const HZ: u32 = 250;
      let now: u32 = 0;
      export function ticks(): u32 { return now; }
      export function setTicks(n: u32): void { now = n; }
    `,
  },
};

/** A generator whose time stamp stands still, so that only what is mixed in matters. */
async function makeGenerator() {
  const unit = await compileUnit({ ...generator, imports: { x86: { rdtsc: () => 1n } } });
  const out = unit.put(new Uint8Array(4096));
  return {
    unit,
    take(n: number) {
      unit.call["randomBytes"]!(out, n);
      return hex(unit.get(out, n));
    },
  };
}

Deno.test("randomBytes() never repeats and gives the length asked for", async () => {
  const g = await makeGenerator();
  const seen = new Set(Array.from({ length: 200 }, () => g.take(16)));
  assert.equal(seen.size, 200);
  const long = g.take(1000);
  assert.equal(new Set(long.match(/.{64}/g)).size, Math.floor(1000 / 32));
  const ones = [...unhex(g.take(4000))].reduce(
    (n, b) => n + b.toString(2).replace(/0/g, "").length,
    0,
  );
  assert.ok(Math.abs(ones - 16000) < 500, `${ones} of 32000 bits are set`);
});

Deno.test("randomBytes() depends on what was mixed in, at reseeding only", async () => {
  const a = await makeGenerator();
  const b = await makeGenerator();
  assert.equal(a.take(32), b.take(32)); // the same pool, the same key
  b.unit.call["entropyInterrupt"]!(7);
  assert.equal(b.unit.call["entropyEvents"]!(), 1);
  assert.equal(a.take(32), b.take(32)); // not yet reseeded
  a.unit.call["setTicks"]!(250 * 301);
  b.unit.call["setTicks"]!(250 * 301);
  assert.notEqual(a.take(32), b.take(32));
});
