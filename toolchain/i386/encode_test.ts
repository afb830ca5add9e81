/**
 * The encoder against objdump and as: what the compiler emits disassembles completely, and as encodes each
 * disassembled instruction in the very same bytes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assembleByGnu, haveCommands, run, withFolder } from "../testing/binutils.ts";
import { generateModule } from "../testing/generator.ts";
import { buildNative } from "../testing/native.ts";
import { CodeBuffer } from "./code_buffer.ts";
import { encodeInstruction } from "./encode.ts";
import {
  immediate,
  type MachineInstruction,
  memory,
  type Operand,
  type Operation,
  registerOperand,
} from "./machine.ts";
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from "./registers.ts";

const ignore = !haveCommands("as", "ld", "objcopy", "objdump");
const MODULES = Number(Deno.env.get("TOOLCHAIN_FUZZ") ?? 60) / 4;

interface Disassembled {
  readonly bytes: readonly number[];
  readonly text: string;
}

/** The instructions of a file's `.text`. */
function disassemble(path: string, ...options: string[]): Disassembled[] {
  const output = run("objdump", "-M", "intel", "--insn-width=16", ...options, path);
  const found: Disassembled[] = [];
  for (const line of output.split("\n")) {
    const [, hex, text] = /^\s*[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/.exec(line) ?? [];
    if (hex === undefined || text === undefined) continue;
    const bytes = hex.trim().split(" ").map((byte) => parseInt(byte, 16));
    found.push({ bytes, text: text.replace(/<.*>|#.*/, "").trim() });
  }
  return found;
}

function compareWithAs(instructions: readonly Disassembled[]): void {
  // Branches depend on where they stand; the assembler's test compares them.
  const plain = instructions.filter(({ text }) =>
    !/^(?:j\w+|call|loop\w*)\s+(?:0x)?[0-9a-f]+$/.test(text)
  );
  const source = plain.map(({ text }) => `    ${text}`).join("\n");
  const gnu = assembleByGnu(`.intel_syntax noprefix\n.text\n${source}\n`, { ".text": 0x1000 });
  const bytes = gnu.get(".text") as Uint8Array;
  let position = 0;
  for (const instruction of plain) {
    const expected = [...bytes.subarray(position, position + instruction.bytes.length)];
    assert.deepEqual(instruction.bytes, expected, instruction.text);
    position += instruction.bytes.length;
  }
  assert.equal(position, bytes.length);
}

Deno.test({
  name: "emitted code has as's encodings throughout",
  ignore,
  fn: () => {
    const seen = new Map<string, Disassembled>();
    withFolder((folder) => {
      for (let seed = 1; seed <= MODULES; seed++) {
        const { wasm } = generateModule(seed);
        Deno.writeFileSync(`${folder}/a.elf`, buildNative(wasm, []).elf);
        for (const instruction of disassemble(`${folder}/a.elf`, "-d", "-j", ".text")) {
          if (/eiz|esi,\[esi\+0x0\]/.test(instruction.text)) continue; // padding of the assembler's, not for as
          assert.doesNotMatch(instruction.text, /bad/);
          seen.set(instruction.bytes.join(), instruction);
        }
      }
    });
    assert.ok(seen.size > 1000, `only ${seen.size} different instructions`);
    compareWithAs([...seen.values()]);
  },
});

const REGISTERS = [EAX, ECX, EDX, EBX, EBP, ESI, EDI];
const ADDRESSES = [
  memory(EBX, 0),
  memory(EBP, 0),
  memory(ESP, 8),
  memory(EAX, -128),
  memory(EAX, 128, ECX, 4),
  memory(EBP, 0, ESI, 2),
  memory(-1, 0x12345678),
  memory(-1, 64, EDI, 8),
];

function cases(): MachineInstruction[] {
  const found: MachineInstruction[] = [];
  const add = (
    operation: Operation,
    destination?: Operand,
    source?: Operand,
    rest: Partial<MachineInstruction> = {},
  ): void => {
    found.push({ operation, destination, source, offset: 0, ...rest });
  };
  const numbers = [1, -1, 127, -128, 128, -129, 0x7fffffff].map((value) => immediate(value));
  const arithmetic: Operation[] = [
    "add",
    "sub",
    "adc",
    "sbb",
    "and",
    "or",
    "xor",
    "cmp",
    "test",
    "mov",
  ];
  for (const operation of arithmetic) {
    for (const register of REGISTERS) {
      add(operation, registerOperand(register), registerOperand(EDI));
      for (const number of numbers) {
        const isShortTest = operation === "test" && register <= EBX && number.value > 0;
        if (!isShortTest) add(operation, registerOperand(register), number);
      }
    }
    for (const address of ADDRESSES) {
      add(operation, address, registerOperand(EDX));
      add(operation, address, immediate(-5));
      add(operation, address, immediate(100), { width: 8 });
      if (operation !== "test") add(operation, registerOperand(ESI), address);
    }
  }
  for (const operation of ["shl", "shr", "sar", "rol", "ror"] as const) {
    for (const target of [registerOperand(EDX), ...ADDRESSES]) {
      for (const count of [1, 5, 31]) add(operation, target, immediate(count));
      add(operation, target, registerOperand(ECX));
    }
  }
  for (const address of [registerOperand(EBX), ...ADDRESSES]) {
    for (const operation of ["mul", "imul1", "div", "idiv", "push"] as const) {
      add(operation, undefined, address);
    }
    for (const operation of ["not", "neg", "inc", "dec"] as const) add(operation, address);
    for (const operation of ["imul", "bsf", "bsr", "cmov"] as const) {
      add(operation, registerOperand(ESI), address, { condition: "le" });
    }
    add("imul3", registerOperand(EAX), address, { immediate: 100 });
    add("imul3", registerOperand(EAX), address, { immediate: 1000 });
    for (const width of [8, 16] as const) {
      add("movzx", registerOperand(EDI), address, { width });
      add("movsx", registerOperand(EDI), address, { width });
    }
    if (address.kind !== "memory") continue;
    add("mov", address, registerOperand(EBX), { width: 8 });
    add("mov", address, registerOperand(ESI), { width: 16 });
    add("mov", address, immediate(0x1234), { width: 16 });
    add("lea", registerOperand(EAX), address);
  }
  for (const operation of ["shld", "shrd"] as const) {
    add(operation, registerOperand(EAX), registerOperand(ESI), { immediate: 7 });
  }
  for (const operation of ["shldcl", "shrdcl"] as const) {
    add(operation, registerOperand(EAX), registerOperand(ESI));
  }
  for (const condition of ["e", "ne", "l", "ge", "g", "le", "b", "ae", "a", "be"] as const) {
    add("setcc", registerOperand(EBX), undefined, { condition });
  }
  add("bswap", registerOperand(ESI));
  add("cdq");
  add("free", undefined, undefined, { immediate: 4 });
  add("free", undefined, undefined, { immediate: 400 });
  return found;
}

Deno.test({
  name: "every form of every operation has as's encoding",
  ignore,
  fn: () => {
    const out = new CodeBuffer();
    const all = cases();
    for (const instruction of all) encodeInstruction(out, instruction);
    assert.equal(out.relocations.length, 0);
    withFolder((folder) => {
      Deno.writeFileSync(`${folder}/code.bin`, Uint8Array.from(out.bytes));
      const found = disassemble(`${folder}/code.bin`, "-D", "-b", "binary", "-m", "i386");
      assert.equal(found.length, all.length);
      compareWithAs(found);
    });
  },
});

Deno.test("encodeInstruction() refuses byte registers that do not exist", () => {
  const out = new CodeBuffer();
  const destination = registerOperand(ESI);
  assert.throws(() => {
    encodeInstruction(out, { operation: "setcc", destination, condition: "e", offset: 0 });
  }, /no low byte/);
});
