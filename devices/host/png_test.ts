import assert from "node:assert/strict";
import { crc32, inflateSync } from "node:zlib";
import { encodePng } from "./png.ts";

Deno.test("encodePng() writes chunks with their check sums, and rows without a filter", () => {
  const pixels = Uint8ClampedArray.from([
    1,
    2,
    3,
    255,
    4,
    5,
    6,
    255,
    7,
    8,
    9,
    255,
    10,
    11,
    12,
    255,
  ]);
  const file = encodePng({ width: 2, height: 2, pixels });
  assert.deepEqual([...file.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  const view = new DataView(file.buffer);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < file.length;) {
    const length = view.getUint32(at);
    const body = file.subarray(at + 4, at + 8 + length);
    assert.equal(view.getUint32(at + 8 + length), crc32(body));
    chunks.set(new TextDecoder().decode(body.subarray(0, 4)), body.subarray(4));
    at += length + 12;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "IDAT", "IEND"]);
  assert.deepEqual([...chunks.get("IHDR") as Uint8Array], [0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
  assert.deepEqual(
    [...inflateSync(chunks.get("IDAT") as Uint8Array)],
    [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12],
  );
});
