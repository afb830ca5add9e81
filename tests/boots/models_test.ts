/**
 * Our kernel on each processor: it boots on those that have what it needs, and says what is missing on the others.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CPU_MODELS, type CpuModel } from "../../cpu/mod.ts";
import { Machine } from "../../devices/mod.ts";
import { buildKernel } from "../../toolchain/image/mod.ts";
import { assembleKernel } from "./assemble.ts";

const root = new URL("../../", import.meta.url);
const LIMIT = 300_000_000;

let kernel: Promise<Uint8Array> | undefined;
function builtKernel(): Promise<Uint8Array> {
  kernel ??= buildKernel({
    read(path: string): string | undefined {
      try {
        return Deno.readTextFileSync(new URL(path, root));
      } catch {
        return undefined;
      }
    },
    list: (path: string) =>
      [...Deno.readDirSync(new URL(path, root))].map(({ name }) => name).sort(),
  });
  return kernel;
}

async function boot(cpu: CpuModel): Promise<string> {
  let text = "";
  const machine = new Machine({
    cpu,
    ramBytes: 16 << 20,
    serial: (bytes) => text += String.fromCharCode(...bytes),
  });
  machine.loadKernel(await builtKernel(), "console=ttyS0 panic=-1");
  for (let done = 0; done < LIMIT; done += LIMIT / 10) {
    if (machine.runSync(LIMIT / 10) !== undefined) break;
  }
  return text;
}

for (const cpu of CPU_MODELS) {
  const enough = ["p6", "p3", "p4"].includes(cpu);
  Deno.test(`our kernel ${enough ? "boots" : "says what it needs"} on --cpu ${cpu}`, async () => {
    const text = await boot(cpu);
    // Without a disk it comes as far as looking for one.
    if (enough) assert.match(text, /root/i);
    else {
      const sentence =
        "This kernel needs a Pentium Pro or a later processor: 4 MiB pages and CMOV.\r\n";
      assert.equal(text, sentence);
    }
  });
}

Deno.test("a machine has an APIC if its processor has, and refuses one where it has not", () => {
  assert.throws(() => new Machine({ cpu: "486", apic: true }), /the processor "486" has none/);
  const text = (cpu: CpuModel): string => {
    let out = "";
    const debug = (bytes: Uint8Array): string => out += String.fromCharCode(...bytes);
    const machine = new Machine({ cpu, ramBytes: 8 << 20, debug });
    // The APIC's version register, or nobody's answer.
    machine.loadKernel(
      assembleKernel(
        `
  mov eax, [0xfee00030]
  out 0xe9, al
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax`,
      ),
      "",
    );
    machine.runSync(1000);
    return out;
  };
  assert.equal(text("486"), "\xff");
  assert.equal(text("p3"), "\x11");
});
