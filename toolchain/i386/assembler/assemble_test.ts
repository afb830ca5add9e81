/**
 * The assembler against GNU as: every file that we accept must give the same bytes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CompileError } from "../../errors.ts";
import { linkProgram } from "../../link/layout.ts";
import { assembleByGnu, haveCommands } from "../../testing/binutils.ts";
import { Random } from "../../testing/generator.ts";
import runtime from "../runtime.s" with { type: "text" };
import start from "../start_user.s" with { type: "text" };
import { assemble } from "./mod.ts";
import directives from "./testdata/directives.s" with { type: "text" };
import instructions from "./testdata/instructions.s" with { type: "text" };

const ignore = !haveCommands("as", "ld", "objcopy");

/** Our bytes of `.text` and `.data`, linked, and where they are. */
function ours(
  source: string,
): { contents: Map<string, Uint8Array>; addresses: Map<string, number> } {
  const object = assemble("test.s", source);
  const program = linkProgram({
    objects: [object, assemble("entry.s", ".global test_entry\ntest_entry: ret\n")],
    layout: {
      text: 0x08049000,
      data: 0x0a000000,
      physicalOffset: 0,
      boot: undefined,
      embedSymbols: false,
    },
    entry: ["test_entry"],
    fallbacks: {},
    memoryEnd: 0,
  });
  const contents = new Map<string, Uint8Array>();
  const addresses = new Map<string, number>();
  for (const section of program.sections) {
    const own = object.sections.find(({ name }) => name === section.name);
    if (own === undefined || own.bytes.length === 0) continue;
    contents.set(section.name, section.bytes.subarray(0, own.bytes.length));
    addresses.set(section.name, section.address);
  }
  return { contents, addresses };
}

function hex(bytes: Uint8Array | undefined): string {
  return [...bytes ?? []].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Compares all sections; `.bss` addresses differ, so sources must not name what is in it. */
function compare(source: string): void {
  const { contents, addresses } = ours(source);
  const reference = assembleByGnu(source, Object.fromEntries(addresses));
  assert.ok(contents.size > 0);
  for (const [name, bytes] of contents) assert.equal(hex(bytes), hex(reference.get(name)), name);
}

Deno.test({
  name: "assemble() gives as's bytes for the instruction corpus",
  ignore,
  fn: () => compare(instructions),
});

Deno.test({
  name: "assemble() gives as's bytes for the directive corpus",
  ignore,
  fn: () => compare(directives),
});

Deno.test({
  name: "assemble() gives as's bytes for our own routines",
  ignore,
  fn: () => {
    compare(runtime);
    compare(`${start}\n.global main\nmain:\n.global __module_init\n__module_init: ret\n`);
  },
});

Deno.test({
  name: "assemble() pads code like as for every distance",
  ignore,
  fn: () => {
    const pieces = Array.from(
      { length: 140 },
      (_, count) => `.balign 256\n.skip ${256 - count}, 0x90\n.balign 256\n`,
    );
    compare(`.intel_syntax noprefix\n.text\n${pieces.join("")}ret\n`);
  },
});

Deno.test({
  name: "assemble() sizes branches like as at every distance around the limits",
  ignore,
  fn: () => {
    let source = ".intel_syntax noprefix\n.text\n";
    for (let gap = 118; gap < 136; gap++) {
      source += `back${gap}: .skip ${gap}, 0x90\n jmp back${gap}\n jne back${gap}\n`;
      source += ` jmp ahead${gap}\n jb ahead${gap}\n .skip ${gap}, 0x90\nahead${gap}: nop\n`;
    }
    compare(source);
  },
});

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
const BYTE_REGISTERS = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const WORD_REGISTERS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const NUMBERS = [0, 1, -1, 127, 128, -128, -129, 255, 256, 0x7fff, 0x8000, 0x7fffffff, -0x80000000];

function randomAddress(random: Random): string {
  const base = random.pick(REGISTERS);
  const index = random.pick(REGISTERS.filter((name) => name !== "esp"));
  const displacement = random.pick(["", "+4", "-4", "+128", "-129", "+table", "+table+8"]);
  const scale = random.pick([1, 2, 4, 8]);
  return random.pick([
    `[${base}${displacement}]`,
    `[${base}+${index}*${scale}${displacement}]`,
    `[${index}*${scale}${displacement}]`,
    `[table+${4 * random.below(40)}]`,
    `[0x${random.below(0x7fffffff).toString(16)}]`,
    `fs:[${base}${displacement}]`,
    `es:[${index}*${scale}${displacement}]`,
  ]);
}

/** A random line in one of the shapes that programs use. */
function randomLine(random: Random): string {
  const address = randomAddress(random);
  const register = random.pick(REGISTERS);
  const other = random.pick(REGISTERS);
  const byte = random.pick(BYTE_REGISTERS);
  const word = random.pick(WORD_REGISTERS);
  const number = random.pick(NUMBERS);
  const narrow = number | 0;
  const small = (narrow << 24) >> 24;
  const arithmetic = random.pick([
    "add",
    "or",
    "adc",
    "sbb",
    "and",
    "sub",
    "xor",
    "cmp",
    "mov",
    "test",
  ]);
  const shift = random.pick(["rol", "ror", "rcl", "rcr", "shl", "shr", "sar"]);
  const condition = random.pick([
    "o",
    "no",
    "b",
    "ae",
    "e",
    "ne",
    "be",
    "a",
    "s",
    "ns",
    "p",
    "np",
    "l",
    "ge",
    "le",
    "g",
  ]);
  const size = random.pick(["byte", "word", "dword"]);
  return random.pick([
    `${arithmetic} ${register}, ${other}`,
    `${arithmetic} ${register}, ${narrow}`,
    `${arithmetic} ${byte}, ${small}`,
    `${arithmetic} ${word}, ${(narrow << 16) >> 16}`,
    `${arithmetic} ${address}, ${register}`,
    `${arithmetic} ${address}, ${byte}`,
    `${arithmetic} ${address}, ${word}`,
    `${arithmetic} dword ptr ${address}, ${narrow}`,
    `${arithmetic} byte ptr ${address}, ${small}`,
    `mov ${register}, ${address}`,
    `mov ${byte}, ${address}`,
    `add ${register}, ${address}`,
    `${shift} ${register}, ${random.below(32)}`,
    `${shift} ${size} ptr ${address}, cl`,
    `${shift} ${size} ptr ${address}, ${random.below(8)}`,
    `lea ${register}, ${address.replace(/^.s:/, "")}`,
    `imul ${register}, ${address}`,
    `imul ${register}, ${other}, ${narrow}`,
    `${
      random.pick(["not", "neg", "mul", "imul", "div", "idiv", "inc", "dec"])
    } ${size} ptr ${address}`,
    `${random.pick(["inc", "dec", "neg", "not"])} ${random.pick([register, byte, word])}`,
    `push ${random.pick([register, String(narrow), `dword ptr ${address}`])}`,
    `pop ${random.pick([register, `dword ptr ${address}`])}`,
    `movzx ${register}, ${random.pick([byte, word, `byte ptr ${address}`, `word ptr ${address}`])}`,
    `movsx ${register}, ${random.pick([byte, word, `byte ptr ${address}`, `word ptr ${address}`])}`,
    `set${condition} ${random.pick([byte, `byte ptr ${address}`])}`,
    `cmov${condition} ${register}, ${random.pick([other, address])}`,
    `j${condition} random_label`,
    `shld ${register}, ${other}, ${random.pick(["cl", "5"])}`,
    `shrd ${address}, ${other}, ${random.pick(["cl", "31"])}`,
    `bt${random.pick(["", "s", "r", "c"])} ${random.pick([register, `dword ptr ${address}`])}, ${
      random.below(32)
    }`,
    `xchg ${register}, ${random.pick([other, address])}`,
    `lock ${random.pick(["xadd", "cmpxchg"])} ${address}, ${register}`,
    `call ${random.pick([register, `dword ptr ${address}`, "random_label"])}`,
    `mov ${random.pick(["ds", "es", "fs", "gs", "ss"])}, ${random.pick([register, word, address])}`,
  ]);
}

Deno.test({
  name: "assemble() gives as's bytes for random instructions",
  ignore,
  fn: () => {
    const count = Number(Deno.env.get("TOOLCHAIN_FUZZ") ?? 60) * 50;
    const random = new Random(Number(Deno.env.get("TOOLCHAIN_SEED") ?? 1));
    const lines = Array.from({ length: count }, () => `    ${randomLine(random)}`);
    lines[Math.floor(count / 2)] += "\nrandom_label:";
    compare(`.intel_syntax noprefix\n.text\n${lines.join("\n")}\n.data\ntable: .zero 256\n`);
  },
});

const MISTAKES: readonly (readonly [source: string, message: RegExp])[] = [
  ["\n mov eax, [ebx+", /^test\.s:2:1: /],
  [" frobnicate eax", /^test\.s:1:1: unknown instruction "frobnicate"/],
  [" mov eax, bl", /^test\.s:1:1: no form of "mov"/],
  ["\n\n inc [eax]", /^test\.s:3:1: the operand needs a size/],
  [" lea eax, [esp*2]", /cannot be an index/],
  ["a: nop\na: nop", /^test\.s:2:1: "a" is already defined/],
  [" .wrong 5", /unknown directive "\.wrong"/],
  [" .if 1\n nop", /\.if without \.endif/],
  [" .rept 2\n nop", /not closed/],
  [" .long a - b", /the distance to "b" is not known/],
  [" loop far_away\n .skip 200\nfar_away: nop", /does not reach/],
  [" .byte a\na:", /cannot hold an address/],
  [" .set x, y", /must be known/],
  [" mov byte ptr [eax], 300", /no form of "mov"/],
  [".bss\n nop", /cannot stand in \.bss/],
];

for (const [source, message] of MISTAKES) {
  Deno.test(`assemble() refuses ${JSON.stringify(source)}`, () => {
    assert.throws(
      () => assemble("test.s", source),
      (error) => error instanceof CompileError && message.test(error.message),
    );
  });
}

Deno.test("linkProgram() names an undefined symbol and the line that uses it", () => {
  assert.throws(
    () => ours("    nop\n    call nowhere\n"),
    (error) =>
      error instanceof CompileError && error.message === "test.s:2:1: undefined symbol nowhere",
  );
});
