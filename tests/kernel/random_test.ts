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
