import assert from "node:assert/strict";
import fc from "fast-check";
import { Bytes } from "./bytes.ts";

/** The value of a LEB128 number (WebAssembly core specification 2.0 §5.2.2). */
function decode(bytes: Uint8Array, signed: boolean): bigint {
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * i);
  const last = bytes.at(-1) ?? 0;
  assert.deepEqual(
    [...bytes].map((byte) => byte >> 7),
    [...bytes].map((_, i) => +(i + 1 < bytes.length)),
  );
  return signed && (last & 0x40) !== 0 ? value - (1n << BigInt(7 * bytes.length)) : value;
}

Deno.test("LEB128 numbers decode to what was encoded, in no more bytes than they need", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (small, large) => {
        const [a, b, c] = [new Bytes(1), new Bytes(1), new Bytes(1)];
        a.signed(small);
        assert.equal(decode(a.view, true), BigInt(small));
        b.unsigned(small);
        assert.equal(decode(b.view, false), BigInt(small >>> 0));
        assert.ok(b.length === 1 || b.view.at(-1) !== 0);
        c.signed64(large);
        assert.equal(decode(c.view, true), large);
      },
    ),
  );
  for (const [value, size] of [[63, 1], [64, 2], [-64, 1], [-65, 2]] as const) {
    const out = new Bytes();
    out.signed(value);
    out.signed64(BigInt(value));
    assert.equal(out.length, 2 * size);
  }
});

Deno.test("the buffer grows and keeps what was appended", () => {
  const out = new Bytes(2);
  const expected: number[] = [];
  for (let i = 0; i < 1000; i++) {
    out.byte(i);
    out.append([i, i + 1]);
    expected.push(i & 0xff, i & 0xff, (i + 1) & 0xff);
  }
  assert.deepEqual([...out.view], expected);
  out.clear();
  out.text("é");
  assert.deepEqual([...out.view], [2, 0xc3, 0xa9]);
});
