/**
 * The decoder against iced-x86, an independent decoder, over the opcode maps and random bytes.
 * @module
 */
import assert from "node:assert/strict";
import { Decoder as Iced, DecoderOptions } from "iced-x86";
import { Decoder, Instruction, TOO_LONG, TRUNCATED, UNDEFINED } from "./decode.ts";
import { INTEGER } from "./table.ts";

const decoder = new Decoder(INTEGER);
const out = new Instruction();

function ours(bytes: Uint8Array, big: boolean): number {
  return decoder.decode(bytes, 0, bytes.length, 0x1000, big, out);
}

/** Length by iced-x86, or 0 when invalid. */
function theirs(bytes: Uint8Array, big: boolean): { length: number; text: string } {
  const iced = new Iced(big ? 32 : 16, bytes, DecoderOptions.None);
  iced.ip = 0x1000n;
  const instruction = iced.decode();
  const length = iced.lastError === 0 ? instruction.length : 0;
  const text = `${instruction.mnemonic}`;
  instruction.free();
  iced.free();
  return { length, text };
}

/** A small linear congruential generator: runs repeat. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 12) & 0xff;
  };
}

/** Opcodes after the Pentium Pro, or x87, that iced-x86 knows and this table does not have. */
function isBeyond(bytes: Uint8Array): boolean {
  let at = 0;
  while (
    [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(bytes[at] ?? 0)
  ) {
    at++;
  }
  const first = bytes[at] ?? 0;
  if (first >= 0xd8 && first <= 0xdf || first === 0x9b) return true;
  // VEX and EVEX escapes, XOP; XBEGIN and XABORT; 64-bit only rows.
  if ([0xc4, 0xc5, 0x62, 0x8f].includes(first)) return true;
  if (first === 0xc6 || first === 0xc7) return ((bytes[at + 1] ?? 0) & 0x38) !== 0;
  if (first !== 0x0f) return false;
  const second = bytes[at + 1] ?? 0;
  if (second === 0x00 || second === 0x01) return true;
  // Which control registers exist is the assist's to say.
  if (second === 0x20 || second === 0x22) return true;
  return !decoder.find(1, second, bytes[at + 2] ?? 0) || second === 0x0d || second === 0xb8 ||
    second === 0x1e || second === 0x1a || second === 0x1b || second === 0x1c || second === 0x18;
}

function compare(bytes: Uint8Array, big: boolean): void {
  const mine = ours(bytes, big);
  const reference = theirs(bytes, big);
  const shown = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (reference.length === 0) {
    assert.ok(mine <= 0 || isBeyond(bytes), `${shown}: ours ${mine}, iced says invalid`);
  } else if (mine === UNDEFINED) {
    assert.ok(isBeyond(bytes) || out.lock, `${shown}: ours undefined, iced ${reference.length}`);
  } else if (!isBeyond(bytes)) {
    assert.equal(mine, reference.length, `${shown} (${big ? 32 : 16} bits)`);
  }
}

Deno.test("decode() finds iced-x86's lengths over both opcode maps and all ModRM bytes", () => {
  const random = generator(1);
  for (const big of [true, false]) {
    for (let opcode = 0; opcode < 512; opcode++) {
      for (let modrm = 0; modrm < 256; modrm += opcode % 2 === 0 ? 1 : 3) {
        const tail = Array.from({ length: 12 }, random);
        const head = opcode < 256 ? [opcode] : [0x0f, opcode - 256];
        if (opcode === 0x0f) continue;
        compare(new Uint8Array([...head, modrm, ...tail]), big);
      }
    }
  }
});

Deno.test("decode() finds iced-x86's lengths on random bytes with prefixes", () => {
  const random = generator(2);
  const prefixes = [0x66, 0x67, 0x2e, 0x36, 0x26, 0x64, 0x65, 0x3e, 0xf2, 0xf3];
  for (let i = 0; i < 20000; i++) {
    const head = Array.from({ length: random() % 4 }, () => prefixes[random() % 10] as number);
    // No LOCK: iced-x86 does not refuse what the processor refuses in all cases.
    compare(new Uint8Array([...head, ...Array.from({ length: 15 }, random)]), i % 3 !== 0);
  }
});

Deno.test("decode() says TOO_LONG from the 16th byte on and TRUNCATED before", () => {
  const prefixed = (count: number): Uint8Array =>
    new Uint8Array([...new Array(count).fill(0x66), 0x90]);
  assert.equal(ours(prefixed(14), true), 15);
  assert.equal(ours(prefixed(15), true), TOO_LONG);
  assert.equal(ours(new Uint8Array([0xb8, 1, 2]), true), TRUNCATED);
  assert.equal(ours(new Uint8Array([]), true), TRUNCATED);
});

Deno.test("decode() refuses LOCK without a memory destination", () => {
  const cases: [number[], boolean][] = [
    [[0xf0, 0x01, 0x03], true], // lock add [ebx], eax
    [[0xf0, 0x01, 0xc3], false], // lock add ebx, eax
    [[0xf0, 0x03, 0x03], false], // lock add eax, [ebx]
    [[0xf0, 0x39, 0x03], false], // lock cmp [ebx], eax
    [[0xf0, 0x0f, 0xb1, 0x0b], true], // lock cmpxchg [ebx], ecx
    [[0xf0, 0x0f, 0xc7, 0x0b], true], // lock cmpxchg8b [ebx]
    [[0xf0, 0x0f, 0xa3, 0x0b], false], // lock bt [ebx], ecx
    [[0xf0, 0x0f, 0xab, 0x0b], true], // lock bts [ebx], ecx
    [[0xf0, 0x90], false], // lock nop
  ];
  for (const [bytes, allowed] of cases) {
    assert.equal(ours(new Uint8Array(bytes), true) > 0, allowed, bytes.join(" "));
  }
});

Deno.test("decode() takes the segment from base, SIB and override", () => {
  const segment = (...bytes: number[]): number => {
    assert.ok(ours(new Uint8Array(bytes), true) > 0);
    return out.segment;
  };
  assert.equal(segment(0x8b, 0x45, 0), 2); // [ebp+0]: SS
  assert.equal(segment(0x8b, 0x04, 0x24), 2); // [esp]: SS
  assert.equal(segment(0x8b, 0x05, 0, 0, 0, 0), 3); // [disp32]: DS
  assert.equal(segment(0x8b, 0x04, 0x28), 3); // [eax+ebp]: DS, an index does not count
  assert.equal(segment(0x65, 0x8b, 0x45, 0), 5); // gs:[ebp+0]
  assert.equal(segment(0x2e, 0x26, 0x8b, 0x03), 0); // the last override wins: ES
});

Deno.test("the table has every opcode of the Pentium Pro's integer maps", () => {
  // One-byte map without prefixes, the escape 0F and the x87's D8–DF and 9B: complete.
  const prefixes = [0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x9b];
  for (let opcode = 0; opcode < 256; opcode++) {
    if (prefixes.includes(opcode) || (opcode & 0xf8) === 0xd8) continue;
    const any = Array.from({ length: 256 }, (_, modrm) => decoder.find(0, opcode, modrm));
    assert.ok(any.some(Boolean), `opcode ${opcode.toString(16)}`);
  }
});
