/**
 * The models: what CPUID says, which encodings, control bits, flags and MSRs there are, and that these agree.
 * Expected values: Intel AP-485, SDM vol. 3A §22 and vol. 4; i486 and 80386 Programmer's Reference Manuals.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../cpu.ts";
import { CPU_MODELS, type CpuModel, findModel } from "./models.ts";

const AT = 0x1000;
/** Where test code stores and loads. */
const DATA = 0x8000;

const cpus = new Map<CpuModel, Cpu>();
function cpuOf(model: CpuModel): Cpu {
  let cpu = cpus.get(model);
  if (cpu === undefined) {
    cpu = new Cpu({
      ramBytes: 0x10000,
      model,
      bus: {
        readPort: () => 0xff,
        writePort: () => {},
        readMemory: () => 0xff,
        writeMemory: () => {},
        acknowledgeInterrupt: () => 0x20,
        apicBase: () => {},
      },
    });
    cpus.set(model, cpu);
  }
  return cpu;
}

/**
 * Runs code at CPL 0 after RESET; the general registers, or undefined when it faulted (without an IDT that is a
 * shutdown).
 */
function run(
  model: CpuModel,
  code: readonly number[],
  registers: Readonly<Record<string, number>> = {},
): Record<string, number> | undefined {
  const cpu = cpuOf(model);
  cpu.reset();
  cpu.memory.write(AT, new Uint8Array([...code, 0xf4]));
  cpu.memory.write(DATA, new Uint8Array(512));
  cpu.enterFlatProtectedMode({ eip: AT, esp: 0x4000 });
  for (const [name, value] of Object.entries(registers)) cpu.registers.set(name, value);
  if (cpu.run(1000) !== "halted") return undefined;
  return Object.fromEntries(
    ["eax", "ebx", "ecx", "edx"].map((name) => [name, cpu.registers.get(name)]),
  );
}
function runs(
  model: CpuModel,
  code: readonly number[],
  registers?: Readonly<Record<string, number>>,
): boolean {
  return run(model, code, registers) !== undefined;
}
/** EDX of CPUID 1, 0 where there is no CPUID. */
function features(model: CpuModel): number {
  return run(model, [0x0f, 0xa2], { eax: 1 })?.["edx"] ?? 0;
}
/** Models from one on. */
function from(first: CpuModel): readonly CpuModel[] {
  return CPU_MODELS.slice(CPU_MODELS.indexOf(first));
}

/** mov eax, cr4; or eax, 600h; mov cr4, eax */
const ENABLE_SSE = [0x0f, 0x20, 0xe0, 0x0d, 0, 6, 0, 0, 0x0f, 0x22, 0xe0];
const MEMORY = [0x05, 0, 0x80, 0, 0];

Deno.test("each model has the encodings of its time and no others", () => {
  const table: [name: string, code: number[], models: readonly CpuModel[]][] = [
    ["MOVZX", [0x0f, 0xb6, 0xc0], CPU_MODELS],
    ["SHLD", [0x0f, 0xa4, 0xc1, 3], CPU_MODELS],
    ["FSIN", [0xd9, 0xfe], CPU_MODELS],
    ["SALC", [0xd6], CPU_MODELS],
    ["BSWAP", [0x0f, 0xc8], from("486")],
    ["CMPXCHG", [0x0f, 0xb1, 0xd1], from("486")],
    ["XADD", [0x0f, 0xc1, 0xd1], from("486")],
    ["INVD", [0x0f, 0x08], from("486")],
    ["WBINVD", [0x0f, 0x09], from("486")],
    ["INVLPG", [0x0f, 0x01, 0x38], from("486")],
    ["CPUID", [0x0f, 0xa2], from("486")],
    ["MOV from CR4", [0x0f, 0x20, 0xe0], from("486")],
    ["RDTSC", [0x0f, 0x31], from("pentium")],
    ["RDMSR", [0x0f, 0x32], from("pentium")],
    ["CMPXCHG8B", [0x0f, 0xc7, 0x0d, 0, 0x80, 0, 0], from("pentium")],
    ["CMOVE", [0x0f, 0x44, 0xc1], from("p6")],
    ["FCMOVE", [0xda, 0xc9], from("p6")],
    ["FCOMI", [0xdb, 0xf1], from("p6")],
    ["FUCOMIP", [0xdf, 0xe9], from("p6")],
    ["NOP Ev", [0x0f, 0x1f, 0xc0], from("p6")],
    ["RDPMC", [0x0f, 0x33], from("p6")],
    ["PADDB mm", [0x0f, 0xfc, 0xc1], from("p3")],
    ["PSHUFW", [0x0f, 0x70, 0xc1, 0], from("p3")],
    ["FXSAVE", [0x0f, 0xae, ...MEMORY], from("p3")],
    ["SFENCE", [0x0f, 0xae, 0xf8], from("p3")],
    ["MOVAPS", [...ENABLE_SSE, 0x0f, 0x28, 0xc1], from("p3")],
    ["ADDSS", [...ENABLE_SSE, 0xf3, 0x0f, 0x58, 0xc1], from("p3")],
    ["PADDQ mm", [0x0f, 0xd4, 0xc1], from("p4")],
    ["ADDSD", [...ENABLE_SSE, 0xf2, 0x0f, 0x58, 0xc1], from("p4")],
    ["MOVDQA", [...ENABLE_SSE, 0x66, 0x0f, 0x6f, 0xc1], from("p4")],
    ["MFENCE", [0x0f, 0xae, 0xf0], from("p4")],
    ["MOVNTI", [0x0f, 0xc3, ...MEMORY], from("p4")],
    ["HADDPS", [...ENABLE_SSE, 0xf2, 0x0f, 0x7c, 0xc1], []],
  ];
  const ecx: Readonly<Record<string, number>> = { RDMSR: 0x10, RDPMC: 0 };
  for (const [name, code, models] of table) {
    for (const model of CPU_MODELS) {
      const registers = { ecx: ecx[name] ?? 0 };
      assert.equal(runs(model, code, registers), models.includes(model), `${name} on ${model}`);
    }
  }
});

Deno.test("a Pentium Pro has neither SYSENTER nor its MSRs; with a null code segment in them it faults", () => {
  const enter = [0xb9, 0x74, 1, 0, 0, 0xb8, 8, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30, 0x0f, 0x34];
  // wrmsr of 174h faults already where SYSENTER is not there.
  assert.ok(!runs("p6", enter.slice(0, -2)));
  assert.ok(runs("p3", enter.slice(0, -2)));
  assert.ok(!runs("p3", [0x0f, 0x34]));
});

Deno.test("CPUID tells model, features, caches and brand", () => {
  const signatures = { "486": 0x480, pentium: 0x52c, p6: 0x619, p3: 0x673, p4: 0xf29 };
  for (const [model, signature] of Object.entries(signatures) as [CpuModel, number][]) {
    const leaf = (eax: number) => run(model, [0x0f, 0xa2], { eax }) as Record<string, number>;
    assert.equal(leaf(1)["eax"], signature, model);
    assert.equal(leaf(0)["eax"], model === "486" || model === "pentium" ? 1 : 2, model);
    cpuOf(model).reset();
    assert.equal(cpuOf(model).registers.get("edx"), signature, model);
  }
  // The APIC's bit follows IA32_APIC_BASE.
  assert.equal(features("486"), 0x3);
  assert.equal(features("pentium"), 0x3bf);
  assert.equal(features("p6"), 0xf3ff);
  assert.equal(features("p3"), 0x383fbff);
  assert.equal(features("p4"), 0xf8bfbff);
  const disable = [0xb9, 0x1b, 0, 0, 0, 0x0f, 0x32, 0x25, 0xff, 0xf7, 0xff, 0xff, 0x0f, 0x30];
  const off = run("p3", [...disable, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2]);
  assert.equal((off?.["edx"] as number) & 0x200, 0);
  let brand = "";
  for (let eax = 0x80000002; eax <= 0x80000004; eax++) {
    const leaf = run("p4", [0x0f, 0xa2], { eax }) as Record<string, number>;
    const words = ["eax", "ebx", "ecx", "edx"].map((name) => leaf[name] as number);
    brand += new TextDecoder().decode(new Uint32Array(words));
  }
  assert.equal(brand.replace(/\0+$/, ""), "Intel(R) Pentium(R) 4 CPU 2.00GHz");
  // Without extended leaves they read as the last basic one.
  const last = run("p3", [0x0f, 0xa2], { eax: 2 });
  assert.deepEqual(run("p3", [0x0f, 0xa2], { eax: 0x80000000 }), last);
});

Deno.test("CR4 has the bits that CPUID announces and refuses the others", () => {
  /** CR4 bit to CPUID bit. */
  const needs = [1, 1, 4, 2, 3, 6, 7, 13, -1, 24, 25];
  for (const model of from("486")) {
    const announced = features(model);
    for (let bit = 0; bit < 32; bit++) {
      const need = needs[bit];
      const expected = bit === 8
        ? findModel(model).features.has("pmc")
        : need !== undefined && ((announced >> need) & 1) === 1;
      // mov cr4, eax
      const accepted = runs(model, [0x0f, 0x22, 0xe0], { eax: (1 << bit) >>> 0 });
      assert.equal(accepted, expected, `CR4 bit ${bit} on ${model}`);
    }
  }
});

Deno.test("EFLAGS and CR0 have no bits that came later", () => {
  // push eax; popfd; pushfd; pop eax
  const flags = [0x50, 0x9d, 0x9c, 0x58];
  const AC = 0x40000;
  const ID = 0x200000;
  for (const model of CPU_MODELS) {
    const eax = run(model, flags, { eax: AC | ID | 2 })?.["eax"];
    assert.equal(eax, model === "386" ? 2 : AC | ID | 2, model);
    // mov eax, cr0; or eax, 50020h (AM, WP, NE); mov cr0, eax; mov eax, cr0
    const control = [0x0f, 0x20, 0xc0, 0x0d, 0x20, 0, 5, 0, 0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc0];
    assert.equal(run(model, control)?.["eax"], model === "386" ? 0x11 : 0x50031, model);
  }
  cpuOf("386").reset();
  assert.equal(cpuOf("386").registers.get("cr0"), 0x10);
  cpuOf("p3").reset();
  assert.equal(cpuOf("p3").registers.get("cr0"), 0x60000010);
});

Deno.test("MSRs are those of the model; unknown ones are #GP(0)", () => {
  const P6_FAMILY = ["p6", "p3"] as const;
  const table: [number: number, models: readonly CpuModel[]][] = [
    [0x00, from("pentium")],
    [0x10, from("pentium")],
    [0x11, ["pentium"]],
    [0x1b, from("p6")],
    [0x8b, from("p6")],
    [0xc1, P6_FAMILY],
    [0xfe, from("p6")],
    [0x174, from("p3")],
    [0x179, from("p6")],
    [0x186, P6_FAMILY],
    [0x1a0, ["p4"]],
    [0x1d9, from("p6")],
    [0x200, from("p6")],
    [0x277, from("p3")],
    [0x2ff, from("p6")],
    [0x400, from("p6")],
    [0x413, P6_FAMILY],
    [0x414, []],
    [0xc0000080, []],
  ];
  for (const [number, models] of table) {
    for (const model of from("pentium")) {
      const read = runs(model, [0x0f, 0x32], { ecx: number });
      assert.equal(read, models.includes(model), `MSR ${number.toString(16)} on ${model}`);
    }
  }
});

Deno.test("machine-check and performance registers keep what may be written", () => {
  const write = [0x0f, 0x30];
  const back = [...write, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x32];
  // PERFCTR0: the sign of the low word goes up to bit 39.
  const counter = run("p3", back, { ecx: 0xc1, eax: 0x80000001, edx: 5 });
  assert.deepEqual([counter?.["eax"], counter?.["edx"]], [0x80000001, 0xff]);
  // RDPMC reads it.
  const read = run("p3", [...write, 0x31, 0xc9, 0x0f, 0x33], { ecx: 0xc1, eax: 7 });
  assert.deepEqual([read?.["eax"], read?.["edx"]], [7, 0]);
  assert.ok(!runs("p3", [0x0f, 0x33], { ecx: 2 }));
  assert.ok(runs("p4", [0x0f, 0x33], { ecx: 17 }));
  assert.ok(!runs("p4", [0x0f, 0x33], { ecx: 18 }));
  // MCG_CAP cannot be written, MC0_STATUS only cleared.
  assert.ok(!runs("p6", write, { ecx: 0x179, eax: 0 }));
  assert.ok(runs("p6", write, { ecx: 0x401, eax: 0, edx: 0 }));
  assert.ok(!runs("p6", write, { ecx: 0x401, eax: 1, edx: 0 }));
  assert.equal(run("p6", [0x0f, 0x32], { ecx: 0x179 })?.["eax"], 0x105);
});

Deno.test("a processor that does not exist is named in the error", () => {
  assert.throws(() => findModel("286"), /There is no processor "286": choose one of 386, 486/);
});
