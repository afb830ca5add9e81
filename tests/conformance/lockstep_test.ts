/**
 * Boots of `deno task lockstep` and parts of them, and that it finds what differs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../cpu/mod.ts";
import { TRANSLATE_AFTER } from "../../devices/mod.ts";
import { describe, Lockstep, type LockstepGuest } from "./lockstep.ts";
import { GUESTS } from "./lockstep_guests.ts";

const PARTS = [
  { guest: "bash", translateAfter: 500, step: 100_000, limit: Infinity, end: "power-off" },
  { guest: "bash", translateAfter: 20, step: 50_000, limit: Infinity, end: "power-off" },
  { guest: "bash", translateAfter: 1, step: 20_000, limit: 2e6, end: undefined },
  { guest: "own", translateAfter: 20, step: 20_000, limit: Infinity, end: "power-off" },
  { guest: "686", translateAfter: 20, step: 1e6, limit: 150e6, end: undefined },
  {
    guest: "686-pae",
    translateAfter: TRANSLATE_AFTER,
    step: 2e6,
    limit: Infinity,
    end: "power-off",
  },
  { guest: "bios", translateAfter: 20, step: 500_000, limit: Infinity, end: "power-off" },
  { guest: "memtest", translateAfter: 20, step: 1e6, limit: 150e6, end: undefined },
] as const;

for (const { guest: name, translateAfter, step, limit, end } of PARTS) {
  Deno.test(`${name} in lockstep, translated after ${translateAfter} entries`, async () => {
    const guest = await GUESTS[name]?.();
    if (guest === undefined) return;
    const { difference, ...report } = new Lockstep({ guest, translateAfter, step }).run(limit);
    assert.equal(difference && describe(difference), undefined);
    assert.equal(report.reason, end, report.text.slice(-500));
    assert.ok(report.regions > 20, `${report.regions} regions`);
    if (end === undefined) assert.equal(report.instructions, limit);
  });
}

Deno.test("lockstep finds the first different instruction, and says how the interpreter came there", () => {
  const AT = 12_345;
  const guest: LockstepGuest = {
    name: "a loop",
    make(translateAfter) {
      const cpu = new Cpu({
        ramBytes: 0x10000,
        translateAfter,
        bus: {
          readPort: () => 0,
          writePort: () => {},
          readMemory: () => 0,
          writeMemory: () => {},
          acknowledgeInterrupt: () => 0,
        },
      });
      // inc eax; mov [2000h], eax; jmp
      cpu.memory.write(0x1000, new Uint8Array([0x40, 0xa3, 0, 0x20, 0, 0, 0xeb, 0xf8]));
      cpu.enterFlatProtectedMode({ eip: 0x1000 });
      if (translateAfter > 0) cpu.hooks.at(AT, () => cpu.registers.set("edi", 7));
      return {
        cpu,
        advance: (instructions) => {
          const reason = cpu.run(instructions);
          return reason === "limit" ? undefined : reason;
        },
      };
    },
  };
  const lockstep = new Lockstep({ guest, translateAfter: 1, step: 5000 });
  assert.equal(lockstep.run(10_000).difference, undefined);
  const { difference, comparisons } = lockstep.run(100_000);
  assert.equal(comparisons, 3);
  assert.ok(difference !== undefined);
  assert.equal(difference.to, AT);
  assert.deepEqual(difference.what, ["edi: 00000000, 00000007"]);
  assert.equal(
    difference.path.at(-1),
    `${AT - 1} 00001006  ebf8                   jmp short 00001000h`,
  );
  assert.match(describe(difference), /different after 12345/);
});
