/**
 * One kernel in assembly, two PCs: local APIC, I/O APIC, HPET and ACPI do the same here and on QEMU.
 *
 * Needs gcc with -m32 and qemu-system-i386.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ExitReason, Machine, type MachineOptions } from "../../devices/mod.ts";
import { assembleKernel } from "./assemble.ts";

const SOURCE = new URL("apic_kernel.s", import.meta.url);

/** What the kernel finds; the reasons are in its comments. */
const EXPECTED = `virtual wire: 20 20 20 
to itself: 00000022
00080004
73 70 62 60 45 40 41 40 
task priority: 63 ee 42 
timer: 00000000
51 52 52 52 
edge: 00010000
54 54 54 
level: 65 0c 65 0c 65 0c 
hpet: 00000005
56 56 56 56 56 56 56 56 56 56 
acpi: 00000000
RSDT00000000
FACP00000000
APIC00000000
HPET00000000
fed00000
DSDT00000000
00000001
the ACPI timer is right
`;

function onOurs(
  kernel: Uint8Array,
): { text: string; reason: ExitReason | undefined; count: number } {
  let text = "";
  const machine = new Machine({ serial: (sent) => text += String.fromCharCode(...sent) });
  machine.loadKernel(kernel, "");
  const reason = machine.runSync(200_000_000);
  return { text, reason, count: machine.cpu.instructions };
}

Deno.test("APICs, HPET and ACPI do what a kernel expects, the same in each run", () => {
  const kernel = assembleKernel(Deno.readTextFileSync(SOURCE));
  const first = onOurs(kernel);
  assert.equal(first.text, EXPECTED);
  assert.deepEqual(first.reason, { type: "power-off" });
  assert.deepEqual(onOurs(kernel), first);
});

Deno.test("APICs, HPET and ACPI do the same on QEMU", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(
      `${folder}/kernel.elf`,
      assembleKernel(Deno.readTextFileSync(SOURCE)),
    );
    const { stdout, code } = await new Deno.Command("timeout", {
      args: ["30", "qemu-system-i386", "-M", "pc", "-kernel", `${folder}/kernel.elf`]
        // Time by instructions: a loaded host would make its timers late.
        .concat(["-icount", "shift=3,sleep=off", "-serial", "stdio", "-display", "none"])
        .concat(["-no-reboot", "-monitor", "none"]),
      stdin: "null",
    }).output();
    assert.equal(new TextDecoder().decode(stdout), EXPECTED);
    assert.equal(code, 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** Runs code that leaves its findings at 500h. */
function findings(
  code: string,
  options: Pick<MachineOptions, "apic" | "cpu">,
  count: number,
): number[] {
  const machine = new Machine({ ramBytes: 16 << 20, ...options });
  machine.loadKernel(assembleKernel(`${code}\n  cli\n  hlt`), "");
  assert.deepEqual(machine.runSync(1_000_000), { type: "halted" });
  return Array.from({ length: count }, (_, i) => machine.cpu.memory.read32(0x500 + 4 * i));
}

Deno.test("IA32_APIC_BASE moves the local APIC, also over RAM, and takes it and its CPUID bit away", () => {
  const [reset, feature, there, gone, overRam, back, disabled, bus] = findings(
    `
  mov ecx, 0x1b
  rdmsr
  mov [0x500], eax
  mov eax, 1
  cpuid
  and edx, 0x200
  mov [0x504], edx
  mov ecx, 0x1b
  mov eax, 0xfee10900
  xor edx, edx
  wrmsr
  mov eax, [0xfee10030]
  mov [0x508], eax
  mov eax, [0xfee00030]
  mov [0x50c], eax
  mov dword ptr [0x200030], 0x1234567
  mov eax, 0x00200900
  wrmsr
  mov eax, [0x200030]
  mov [0x510], eax
  mov eax, 0xfee00100
  wrmsr
  mov eax, [0x200030]
  mov [0x514], eax
  mov eax, 1
  cpuid
  and edx, 0x200
  mov [0x518], edx
  mov eax, [0xfee00030]
  mov [0x51c], eax`,
    {},
    8,
  );
  const version = 0x00040011;
  assert.deepEqual({ reset, feature, there, gone, overRam, back, disabled, bus }, {
    reset: 0xfee00900,
    feature: 0x200,
    there: version,
    gone: 0xffffffff,
    overRam: version,
    back: 0x1234567,
    disabled: 0,
    bus: 0xffffffff,
  });
});

Deno.test("a machine without APICs has neither the CPUID bit, nor the MSR, nor the addresses", () => {
  const [feature, local, io, faulted] = findings(
    `
  mov eax, 1
  cpuid
  and edx, 0x200
  mov [0x500], edx
  mov eax, [0xfee00030]
  mov [0x504], eax
  mov eax, [0xfec00000]
  mov [0x508], eax
  mov eax, offset handler
  mov edi, offset idt + 8 * 13
  mov [edi], ax
  mov word ptr [edi + 2], 0x08
  mov word ptr [edi + 4], 0x8e00
  shr eax, 16
  mov [edi + 6], ax
  lidt idt_pointer
  mov ecx, 0x1b
  rdmsr
handler:
  pop eax
  cmp eax, 0
  setz byte ptr [0x50c]
  jmp 1f
idt_pointer: .word 2047
  .long idt
1:`,
    { apic: false },
    4,
  );
  assert.deepEqual({ feature, local, io, faulted }, {
    feature: 0,
    local: 0xffffffff,
    io: 0xffffffff,
    faulted: 1,
  });
});

Deno.test("each processor's local APIC tells its version and how many local vectors it has", () => {
  const code = "mov eax, [0xfee00030]\n  mov [0x500], eax";
  const versions = { pentium: 0x00030011, p6: 0x00040011, p3: 0x00040011, p4: 0x00050014 } as const;
  for (const cpu of ["pentium", "p6", "p3", "p4"] as const) {
    assert.deepEqual(findings(code, { cpu }, 1), [versions[cpu]], cpu);
  }
  assert.deepEqual(findings(code, { cpu: "486" }, 1), [0xffffffff], "none");
});
