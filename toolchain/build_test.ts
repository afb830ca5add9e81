/**
 * Tests of whole builds: what the programs do, what the tools say about the files, what mistakes yield.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type BuildOptions, buildProgram, type BuildResult, CompileError } from "./mod.ts";
import { haveCommands, run, withFolder } from "./testing/binutils.ts";
import { canRunNative, execute } from "./testing/native.ts";
import { sourceFiles } from "./testing/sources.ts";

const X86 = `
export declare function syscall1(n: u32, a: u32): i32;
export declare function syscall3(n: u32, a: u32, b: u32, c: u32): i32;
export declare function syscall6(n: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32;
export declare function vload8(address: usize): u32;
export declare function vload16(address: usize): u32;
export declare function vload32(address: usize): u32;
export declare function vstore8(address: usize, value: u32): void;
export declare function vstore16(address: usize, value: u32): void;
export declare function vstore32(address: usize, value: u32): void;
export declare function xchg32(address: usize, value: u32): u32;
export declare function cmpxchg32(address: usize, expected: u32, value: u32): u32;
export declare function xadd32(address: usize, value: u32): u32;
export declare function bsf(value: u32): u32;
export declare function bsr(value: u32): u32;
export declare function cpuid_eax(leaf: u32): u32;
export declare function cpuid_edx(leaf: u32): u32;
export declare function rdtsc(): u64;
export declare function repmovsb(to: usize, from: usize, count: u32): void;
export declare function repmovsd(to: usize, from: usize, count: u32): void;
export declare function repstosb(to: usize, value: u32, count: u32): void;
export declare function repstosd(to: usize, value: u32, count: u32): void;
export declare function eflags(): u32;
export declare function ebp(): usize;
export declare function outb(port: u32, value: u32): void;
`;

const RUNTIME = `
import { syscall1, syscall3 } from "./x86.ts";
const pool = memory.data(4096, 16);
let used: usize = 0;
/*@global*/ export function __alloc(size: usize): usize {
  const result = pool + used;
  used += (size + 15) & ~15;
  return result;
}
/*@global*/ export function __free(_address: usize): void {}
export function abort(_message: string | null, _file: string | null, line: u32, _column: u32): void {
  syscall3(4, 2, c\`abort\\n\`, 6);
  syscall1(1, line);
  unreachable();
}
`;

const HELLO = `import { syscall3 } from "./lib/x86.ts";
/*@inline*/ function length(text: usize): u32 {
  let end = text;
  while (load<u8>(end)) end++;
  return end - text;
}
@unmanaged class Pair { first: u32 = 5; second: u64 = 7; }
let initialised: u32 = length(c\`four\`);
function print(text: usize): void {
  syscall3(4, 1, text, length(text));
}
export function main(argc: i32, argv: usize, _environment: usize): i32 {
  print(c\`héllo \`);
  print(load<usize>(argv, 4));
  const pair = new Pair();
  pair.second += argc;
  assert(argc < 3, "too many");
  return <i32>(pair.second * 1000000007 / 1000000007) + <i32>pair.first + initialised;
}
`;

function build(
  texts: Readonly<Record<string, string>>,
  options: Partial<BuildOptions> = {},
): Promise<BuildResult> {
  return buildProgram({
    root: "",
    entry: "main.ts",
    target: "user",
    files: sourceFiles({ "lib/x86.ts": X86, "lib/runtime.ts": RUNTIME, ...texts }),
    ...options,
  });
}

/** Exit code of a program whose `main` has this body. */
async function resultOf(body: string, imports: string, more = ""): Promise<number> {
  const text = `import { ${imports} } from "./lib/x86.ts";\n${more}\n` +
    `export function main(_c: i32, _v: usize, _e: usize): i32 {\n${body}\n}\n`;
  const { elf } = await build({ "main.ts": text });
  return execute(elf).code;
}

Deno.test({
  name: "a user program runs: arguments, literals, initialisers, raw classes, 64-bit arithmetic",
  ignore: !canRunNative,
  fn: async () => {
    const { elf, warnings } = await build({ "main.ts": HELLO });
    assert.deepEqual(warnings, []);
    const { code, stdout } = execute(elf, ["wörld"]);
    assert.equal(new TextDecoder().decode(stdout), "héllo wörld");
    assert.equal(code, 7 + 2 + 5 + 4);
    assert.equal(execute(elf, ["a", "b", "c"]).code, 17, "assert calls the runtime's abort");
  },
});

Deno.test({
  name: "every optimisation level gives a program that does the same",
  ignore: !canRunNative,
  fn: async () => {
    for (const optimize of [0, 1, 2, 3] as const) {
      const { elf } = await build({ "main.ts": HELLO }, { optimize });
      assert.equal(execute(elf, ["x"]).code, 18, `-O${optimize}`);
    }
  },
});

Deno.test("the same sources give the same bytes", async () => {
  const [first, second] = [await build({ "main.ts": HELLO }), await build({ "main.ts": HELLO })];
  assert.deepEqual(first.elf, second.elf);
});

Deno.test({
  name: "volatile accesses have their widths, and are made each time",
  ignore: !canRunNative,
  fn: async () => {
    const imports = "vload8, vload16, vload32, vstore8, vstore16, vstore32";
    const code = await resultOf(
      `vstore32(P, 0x11223344); vstore8(P + 1, 0xaa); vstore16(P + 2, 0xbbcc);
       if (vload32(P) != 0xbbccaa44) return 1;
       if (vload8(P + 3) != 0xbb || vload16(P + 1) != 0xccaa) return 2;
       vload32(P); vload32(P);
       return 42;`,
      imports,
      "const P = memory.data(16);",
    );
    assert.equal(code, 42);
  },
});

Deno.test({
  name: "atomic, bit-scan, string and CPUID intrinsics do what the manual says",
  ignore: !canRunNative,
  fn: async () => {
    const code = await resultOf(
      `store<u32>(P, 7);
       if (xchg32(P, 9) != 7 || load<u32>(P) != 9) return 1;
       if (cmpxchg32(P, 8, 1) != 9 || load<u32>(P) != 9) return 2;
       if (cmpxchg32(P, 9, 11) != 9 || load<u32>(P) != 11) return 3;
       if (xadd32(P, 5) != 11 || load<u32>(P) != 16) return 4;
       if (bsf(0x50) != 4 || bsr(0x50) != 6) return 5;
       repstosd(P, 0x01020304, 3); repstosb(P + 12, 0x55, 4);
       repmovsd(P + 32, P, 4); repmovsb(P + 49, P + 12, 3);
       if (load<u64>(P, 32) != 0x0102030401020304 || load<u32>(P, 44) != 0x55555555) return 6;
       if (load<u32>(P, 48) != 0x55555500) return 7;
       if (cpuid_eax(0) == 0 || (cpuid_edx(1) & 1) == 0) return 8;
       const before = rdtsc();
       if (rdtsc() <= before) return 9;
       if ((eflags() & 0x400) != 0 || ebp() == 0) return 10;
       return 42;`,
      "xchg32, cmpxchg32, xadd32, bsf, bsr, repmovsb, repmovsd, repstosb, repstosd, cpuid_eax, cpuid_edx, rdtsc, eflags, ebp",
      "const P = memory.data(64);",
    );
    assert.equal(code, 42);
  },
});

Deno.test({
  name: "a system call with six arguments gets the last one in ebp",
  ignore: !canRunNative,
  fn: async () => {
    // mmap2(0, 8192, PROT_READ, MAP_PRIVATE, fd of /proc/self/exe, one page on) maps the file's second page.
    const code = await resultOf(
      `const file = syscall3(5, c\`/proc/self/exe\`, 0, 0);
       const whole: usize = syscall6(192, 0, 8192, 1, 2, file, 0);
       const second: usize = syscall6(192, 0, 4096, 1, 2, file, 1);
       if (whole > 0xfffff000 || second > 0xfffff000) return 1;
       for (let i: u32 = 0; i < 4096; i += 4) {
         if (load<u32>(whole + 4096 + i) != load<u32>(second + i)) return 2;
       }
       return load<u32>(second) != 0 ? 42 : 3;`,
      "syscall3, syscall6",
    );
    assert.equal(code, 42);
  },
});

Deno.test({
  name: "assembler files and TypeScript call each other; sym.ts gives addresses",
  ignore: !canRunNative,
  fn: async () => {
    const { elf } = await build({
      "asm.ts": "export declare function twice(a: u32, b: u64, c: u32): u64;",
      "sym.ts":
        "export declare function table(): usize;\nexport declare function back(): usize;\n" +
        "export declare function __text_start(): usize;\nexport declare function __text_end(): usize;",
      "main.ts": `import { twice } from "./asm.ts";
        import { table, back, __text_start, __text_end } from "./sym.ts";
        export function back(a: u32, b: u64, c: u32): u64 { return b * a + c; }
        export function main(_c: i32, _v: usize, _e: usize): i32 {
          if (load<u32>(table(), 4) != 77) return 1;
          if (back() < __text_start() || back() >= __text_end()) return 2;
          return twice(3, 0x100000000, 5) == 0x60000000a ? 42 : 3;
        }`.replaceAll("back()", "backAddress()").replace(
        "table, back,",
        "table, back as backAddress,",
      ),
      "low.s": `.intel_syntax noprefix
        .text
        .global twice
        twice:
          push ebp
          mov ebp, esp
          push [ebp+8]
          call back
          add esp, 4
          add eax, eax
          adc edx, edx
          pop ebp
          ret
        .data
        .global table
        table: .long 5, 77
      `,
    }, { assembly: ["low.s"] });
    assert.equal(execute(elf).code, 42);
  },
});

const MISTAKES: readonly (readonly [name: string, source: string, message: RegExp])[] = [
  [
    "a type error",
    "export function main(): i32 {\n  return foo();\n}",
    /^main\.ts:2:10: Cannot find name 'foo'/,
  ],
  [
    "several errors",
    "export function main(): i32 {\n  a();\n  b();\n return 1; }",
    /main\.ts:2:3: .*\nmain\.ts:3:3: /,
  ],
  [
    "an error behind a literal",
    "export function main(): i32 { const s = c`abc`; return x; }",
    /^main\.ts:1:56: /,
  ],
  ["a syntax error", "export function main(: i32 {}", /^main\.ts:1:\d+: /],
  [
    "a missing import",
    'import { a } from "./nowhere.ts";\nexport function main(): i32 { return a(); }',
    /^main\.ts:1:\d+: .*nowhere/,
  ],
  [
    "a float",
    "export function main(): i32 {\n  const x: f64 = load<f64>(8);\n  return <i32>(x * 2.0);\n}",
    /^main\.ts:[23]:\d+: main: floating-point/,
  ],
  [
    "an unknown intrinsic",
    'import { frob } from "./x86.ts";\nexport function main(): i32 { return frob(); }',
    /main: imports of frob from x86/,
  ],
  [
    "an undefined symbol",
    'import { gone } from "./asm.ts";\nexport function main(): i32 {\n  return gone();\n}',
    /^main\.ts:3:\d+: undefined symbol gone/,
  ],
];

for (const [name, source, message] of MISTAKES) {
  Deno.test(`${name} is a CompileError with its place`, async () => {
    const texts = {
      "main.ts": source,
      "x86.ts": "export declare function frob(): i32;",
      "asm.ts": "export declare function gone(): i32;",
    };
    await assert.rejects(build(texts), (error) => {
      assert.ok(error instanceof CompileError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("a missing entry module or assembler file is named", async () => {
  await assert.rejects(build({}), /Cannot read the entry module main\.ts/);
  const options = { assembly: ["a.s"] };
  await assert.rejects(build({ "main.ts": HELLO }, options), /assembler file a\.s/);
});

Deno.test({
  name: "readelf, nm, addr2line, objdump and gdb accept the file and know its lines",
  ignore: !haveCommands("readelf", "nm", "addr2line", "objdump", "gdb"),
  fn: async () => {
    const { elf } = await build({ "main.ts": HELLO });
    withFolder((folder) => {
      const path = `${folder}/a.elf`;
      Deno.writeFileSync(path, elf);
      const headers = run("readelf", "-hlSW", path);
      assert.match(headers, /EXEC \(Executable file\)/);
      assert.doesNotMatch(headers, /[Ww]arning|[Ee]rror/);
      assert.doesNotMatch(run("readelf", "-w", path), /[Ww]arning|[Ee]rror/);
      const symbols = run("nm", path);
      const [, main] = /^([0-9a-f]+) T main$/m.exec(symbols) ?? [];
      assert.ok(main !== undefined, symbols);
      assert.match(symbols, / t main\/print$/m);
      assert.match(symbols, / d main\/initialised$/m);
      assert.doesNotMatch(symbols, /stack_pointer/, "threads must not share a shadow stack");
      assert.match(run("addr2line", "-fe", path, main), /^main\n.*main\.ts:1[23]\n/);
      assert.match(run("objdump", "-d", path), /<main>:\n.*push +%ebp/);
      const gdb = run(
        "gdb",
        "-batch",
        "-ex",
        "info line main",
        "-ex",
        "info line main/print",
        path,
      );
      assert.match(gdb, /Line 1[23] of "main\.ts" starts at address 0x[0-9a-f]+ <main>/);
    });
  },
});

Deno.test({
  name: "gdb walks from a leaf to main by the frame information",
  ignore: !canRunNative || !haveCommands("gdb"),
  fn: async () => {
    const { elf } = await build({
      "main.ts": `import { vload32, syscall1 } from "./lib/x86.ts";
        export function inner(n: u32): u32 { return n ? inner(n - 1) + 1 : vload32(8); }
        export function outer(n: u32): u32 { const r = inner(n) + 1; syscall1(20, r); return r; }
        export function main(argc: i32, _v: usize, _e: usize): i32 { return outer(argc) + 1; }`,
    });
    withFolder((folder) => {
      const path = `${folder}/a.elf`;
      Deno.writeFileSync(path, elf);
      Deno.chmodSync(path, 0o755);
      const output = run("gdb", "-batch", "-ex", "run", "-ex", "bt", path);
      assert.match(output, /SIGSEGV/);
      assert.match(output, /#0 .*inner/);
      assert.match(output, /in outer /);
      assert.match(output, /in main /);
    });
  },
});
