/**
 * Runs Wasm modules as native 32-bit processes, for comparison with V8.
 *
 * The module is compiled and linked with a small driver, written in assembler text, that makes a list of
 * calls and writes for each a status, eax and edx to standard output. The driver checks what the
 * convention promises: ebx, esi, edi, ebp, esp and the direction flag survive. A call that may trap runs
 * in a forked child, so that the process lives on.
 *
 * @module
 */

import { assemble } from "../i386/assembler/mod.ts";
import runtimeSource from "../i386/runtime.s" with { type: "text" };
import { compileModule } from "../i386/module.ts";
import { registerWords } from "../ir/convention.ts";
import { type FunctionType, I64, WasmModule } from "../ir/wasm_module.ts";
import { debugSections } from "../link/dwarf.ts";
import { writeElf } from "../link/elf.ts";
import { linkProgram } from "../link/layout.ts";

/** One call of an exported function. */
export interface Call {
  readonly name: string;
  readonly args: readonly (number | bigint)[];
  /** Whether it runs in a child process; effects on memory are lost then. */
  readonly mayTrap: boolean;
}

/** What came back; `undefined` is a trap. */
export type Outcome = number | bigint | undefined;

const MEMORY_BASE = 0x40000000;
const RECORD_WORDS = 4;
const STATUS_OK = 1;
const STATUS_TRAP = 2;

const DRIVER = `
.intel_syntax noprefix
.text
.global _start
_start:
    xor ebp, ebp
    mov esi, offset calls
next:
    mov eax, [esi]
    test eax, eax
    je done
    cmp dword ptr [esi+4], 0
    je direct
    mov eax, 2              # fork
    int 0x80
    test eax, eax
    je child
    mov ebx, eax
    mov ecx, offset status
    xor edx, edx
    mov eax, 7              # waitpid
    int 0x80
    cmp dword ptr [status], 0
    je skip
    mov dword ptr [result], ${STATUS_TRAP}
    call report
    jmp skip
child:
    call perform
    call report
    xor ebx, ebx
    mov eax, 1              # exit
    int 0x80
direct:
    call perform
    call report
skip:
    mov ecx, [esi+8]
    lea esi, [esi+ecx*4+28]
    jmp next
done:
    xor ebx, ebx
    mov eax, 1
    int 0x80

# Makes the call that esi describes: function, fork, stack words, index, eax, edx, ecx, stack words.
perform:
    push ebp
    mov ebp, esp
    push esi
    mov ecx, [esi+8]
    jecxz 2f
1:  push dword ptr [esi+ecx*4+24]
    dec ecx
    jne 1b
2:  mov [saved_esp], esp
    mov [saved_esi], esi
    mov [saved_ebp], ebp
    mov eax, [esi+16]
    mov edx, [esi+20]
    mov ecx, [esi+24]
    push dword ptr [esi]
    pop dword ptr [target]
    mov ebx, 0x11223344
    mov esi, 0x55667788
    mov edi, 0x99aabbcc
    call [target]
    mov dword ptr [result], 3
    cmp ebx, 0x11223344
    jne 3f
    cmp esi, 0x55667788
    jne 3f
    cmp edi, 0x99aabbcc
    jne 3f
    cmp esp, [saved_esp]
    jne 3f
    cmp ebp, [saved_ebp]
    jne 3f
    mov [result+4], eax
    mov [result+8], edx
    pushfd
    pop eax
    test eax, 0x400
    jne 3f
    mov dword ptr [result], ${STATUS_OK}
3:  mov ebp, [saved_ebp]
    mov esi, [ebp-4]
    leave
    ret

report:
    mov ecx, [esi+12]
    mov [result+12], ecx
    mov ebx, 1
    mov ecx, offset result
    mov edx, ${4 * RECORD_WORDS}
    mov eax, 4              # write
    int 0x80
    ret
.bss
.balign 4
status: .skip 4
target: .skip 4
saved_esp: .skip 4
saved_esi: .skip 4
saved_ebp: .skip 4
result: .skip ${4 * RECORD_WORDS}
`;

/** An executable that makes the calls, and how many functions and spills it took. */
export function buildNative(
  wasm: Uint8Array,
  calls: readonly Call[],
  checked = false,
): { elf: Uint8Array; spills: number } {
  const module = new WasmModule(wasm);
  const compiled = compileModule(wasm, {
    memoryBase: MEMORY_BASE,
    checked,
    sourceMap: undefined,
    dataStart: MEMORY_BASE,
  });
  const list = calls.map((call, index) => describeCall(module, call, index)).join("\n");
  const driver = assemble("driver.s", `${DRIVER}\n.data\n.balign 4\ncalls:\n${list}\n.long 0\n`);
  const program = linkProgram({
    objects: [driver, compiled.object, assemble("runtime.s", runtimeSource)],
    layout: {
      text: 0x08049000,
      data: MEMORY_BASE,
      physicalOffset: 0,
      boot: undefined,
      embedSymbols: false,
    },
    entry: ["_start"],
    fallbacks: {},
    memoryEnd: compiled.memoryEnd,
  });
  return { elf: writeElf(program, debugSections(program, ".", "test")), spills: compiled.spills };
}

function describeCall(module: WasmModule, call: Call, index: number): string {
  const type = functionType(module, call.name);
  const inRegisters = registerWords(type.params);
  const words = call.args.flatMap((value, position) => {
    const wide = BigInt.asUintN(64, BigInt(value));
    const low = Number(wide & 0xffffffffn);
    return type.params[position] === I64 ? [low, Number(wide >> 32n)] : [low];
  });
  const registers = [...words.slice(0, inRegisters), 0, 0, 0].slice(0, 3);
  const stack = words.slice(inRegisters);
  const fork = call.mayTrap ? 1 : 0;
  return `.long ${[call.name, fork, stack.length, index, ...registers, ...stack].join(", ")}`;
}

function functionType(module: WasmModule, name: string): FunctionType {
  const func = module.functions[module.exports.get(name) ?? -1];
  if (func === undefined) throw new Error(`The module exports no ${name}`);
  return func.type;
}

/** Runs an executable to its end. */
export function execute(
  elf: Uint8Array,
  args: readonly string[] = [],
): { code: number; stdout: Uint8Array } {
  const path = Deno.makeTempFileSync({ prefix: "toolchain-" });
  try {
    Deno.writeFileSync(path, elf);
    Deno.chmodSync(path, 0o755);
    return output(path, args);
  } finally {
    Deno.removeSync(path);
  }
}
/** Runs a file that was just written. A child that another thread starts meanwhile may hold it open: ETXTBSY then. */
function output(
  path: string,
  args: readonly string[],
  attempts = 50,
): { code: number; stdout: Uint8Array } {
  try {
    const { code, stdout } = new Deno.Command(path, { args: [...args] }).outputSync();
    return { code, stdout };
  } catch (error) {
    if (attempts === 0 || !String(error).includes("os error 26")) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    return output(path, args, attempts - 1);
  }
}

/** Whether this host executes i386 programs; found out by running one. */
export const canRunNative: boolean = probe();

function probe(): boolean {
  const source =
    ".intel_syntax noprefix\n.global _start\n_start: mov ebx, 42\nmov eax, 1\nint 0x80\n";
  const program = linkProgram({
    objects: [assemble("probe.s", source)],
    layout: {
      text: 0x08049000,
      data: MEMORY_BASE,
      physicalOffset: 0,
      boot: undefined,
      embedSymbols: false,
    },
    entry: ["_start"],
    fallbacks: {},
    memoryEnd: MEMORY_BASE,
  });
  try {
    if (execute(writeElf(program, [])).code === 42) return true;
  } catch {
    // The host refuses the format.
  }
  console.warn("This host runs no i386 programs: native tests are skipped");
  return false;
}

/** Makes the calls natively. */
export function callNative(
  wasm: Uint8Array,
  calls: readonly Call[],
  checked = false,
): Outcome[] {
  const { code, stdout } = execute(buildNative(wasm, calls, checked).elf);
  if (code !== 0) throw new Error(`The native process ended with ${code}`);
  const words = new Uint32Array(stdout.slice().buffer);
  const module = new WasmModule(wasm);
  return calls.map((call, index) => {
    const at = index * RECORD_WORDS;
    const [status, low = 0, high = 0, number] = words.subarray(at, at + RECORD_WORDS);
    if (number !== index) throw new Error(`No answer to call ${index} (${call.name})`);
    if (status === STATUS_TRAP) return undefined;
    if (status !== STATUS_OK) throw new Error(`${call.name} broke the calling convention`);
    const [result] = functionType(module, call.name).results;
    if (result === undefined) return 0;
    if (result !== I64) return low | 0;
    return BigInt.asIntN(64, BigInt(low) | BigInt(high) << 32n);
  });
}

/** Makes the calls in V8, one after the other in one instance; a trap ends only its call. */
export function callReference(wasm: Uint8Array<ArrayBuffer>, calls: readonly Call[]): Outcome[] {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  return calls.map(({ name, args }) => {
    try {
      const result: unknown = (exports[name] as (...args: unknown[]) => unknown)(...args);
      return typeof result === "bigint" ? result : Number(result ?? 0) | 0;
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) return undefined;
      throw error;
    }
  });
}
