/** Plugins on a running machine: what they see is exact, and their failures stay theirs. @module */
import assert from "node:assert/strict";
import { plugin as heatMap } from "../../examples/memory_heat_map.ts";
import { plugin as instructionCount } from "../../examples/instruction_count.ts";
import { type AnyPlugin, definePlugin, type PluginHost } from "../api/mod.ts";
import { PluginError } from "../loader.ts";
import { ENTRY, type PluginRun, rawKernel, runPlugins } from "../test_machine.ts";

const CELL = 0x200000;
const ROUNDS = 1000;

/** Counts down in memory, writes "x" to port E9h and exits with 0. */
// deno-fmt-ignore
const GUEST = rawKernel([
  0xb9, 0xe8, 0x03, 0x00, 0x00,             // mov ecx, 1000
  0x89, 0x0d, 0x00, 0x00, 0x20, 0x00,       // again: mov [200000h], ecx
  0xa1, 0x00, 0x00, 0x20, 0x00,             // mov eax, [200000h]
  0x49,                                     // dec ecx
  0x75, 0xf2,                               // jnz again
  0xb0, 0x78,                               // mov al, 'x'
  0xe6, 0xe9,                               // out E9h, al
  0xb0, 0x00,                               // mov al, 0
  0xe6, 0xf4,                               // out F4h, al
  0xeb, 0xfe,                               // jmp $
]);
/** Instructions up to and with the one that exits. */
const INSTRUCTIONS = 1 + 4 * ROUNDS + 4;

function run(...plugins: AnyPlugin[]): PluginRun {
  return runPlugins(GUEST, plugins);
}
function plugin(install: (host: PluginHost) => void): AnyPlugin {
  return definePlugin({ name: "probe", description: "", install });
}

Deno.test("inline counters and callbacks count every executed instruction", () => {
  let called = 0;
  let blocks = 0;
  let inline = 0n;
  const { debug } = run(plugin((host) => {
    const counter = host.scoreboard("n").u64("n");
    host.onTranslate((block) => {
      block.onExecute(() => blocks++);
      for (const instruction of block.instructions) {
        instruction.inline("add", counter, 1);
        instruction.onExecute(() => called++);
      }
    });
    host.atExit(() => inline = counter.sum());
  }));
  assert.equal(debug, "x");
  assert.equal(called, INSTRUCTIONS);
  assert.equal(Number(inline), INSTRUCTIONS);
  assert.ok(blocks >= ROUNDS && blocks <= ROUNDS + 4, String(blocks));
});

Deno.test("instructions tell their address, bytes, text and symbol", () => {
  const seen = new Map<number, string>();
  run(plugin((host) => {
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        const bytes = [...instruction.bytes()].map((byte) => byte.toString(16).padStart(2, "0"))
          .join("");
        seen.set(
          instruction.address - ENTRY,
          `${bytes} ${instruction.mnemonic()} ${instruction.symbol()} ${instruction.size}`,
        );
      }
    });
  }));
  assert.equal(seen.get(0), "b9e8030000 mov main 5");
  assert.equal(seen.get(16), "49 dec main 1");
  assert.equal(seen.get(17), "75f2 jne main 2");
});

Deno.test("memory callbacks see address, size, direction and value after the access", () => {
  const accesses: string[] = [];
  run(plugin((host) => {
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        instruction.onMemory(({ address, physical, size, write, value, io }) =>
          accesses.push([address, physical, size, write, value, io].join())
        );
      }
    });
  }));
  assert.equal(accesses.length, 2 * ROUNDS);
  assert.equal(accesses[0], [CELL, CELL, 4, true, ROUNDS, false].join());
  assert.equal(accesses[1], [CELL, CELL, 4, false, ROUNDS, false].join());
  assert.equal(accesses.at(-1), [CELL, CELL, 4, false, 1, false].join());
});

Deno.test("registers, memory, ports and the instruction count are exact inside callbacks", () => {
  const ports: string[] = [];
  const ecx: number[] = [];
  let cell: Uint8Array | undefined;
  run(plugin((host) => {
    host.onPort(({ port, value, write, size }) =>
      ports.push(`${port.toString(16)} ${value} ${write} ${size} @${host.instructions}`)
    );
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        if (instruction.address !== ENTRY + 16) continue;
        instruction.onExecute(() => {
          ecx.push(host.readRegister("ecx"));
          assert.equal(host.instructions, 3 + 4 * (ecx.length - 1));
          cell = host.readMemory(CELL, 4);
        });
      }
    });
  }));
  assert.deepEqual(ecx, Array.from({ length: ROUNDS }, (_, index) => ROUNDS - index));
  assert.deepEqual([...cell!], [1, 0, 0, 0]);
  assert.equal(ports[0], `e9 120 true 1 @${INSTRUCTIONS - 3}`);
});

Deno.test("a plugin changes registers and memory, asks for instruction counts, and stops the run", () => {
  let at = 0;
  const { machine } = run(plugin((host) => {
    host.at(100, () => {
      at = host.instructions;
      host.writeRegister("ecx", 5);
      assert.ok(host.writeMemory(CELL + 16, Uint8Array.of(7)));
    });
  }));
  assert.equal(at, 100);
  assert.ok(machine.cpu.instructions < 200, "the loop ended early");
  assert.equal(machine.cpu.memory.read(CELL + 16, 1)[0], 7);

  const stopped = run(plugin((host) => void host.at(50, () => host.stop())));
  assert.equal(stopped.machine.cpu.instructions, 50);
});

Deno.test("a plugin that throws is named and switched off, and the machine and the others go on", () => {
  let others = 0;
  const faulty = definePlugin({
    name: "faulty",
    description: "",
    install(host) {
      host.onTranslate((block) =>
        block.onExecute(() => {
          throw new Error("broken\nwith details");
        })
      );
      host.atExit(() => assert.fail("it is off"));
    },
  });
  const counting = plugin((host) => host.onTranslate((block) => block.onExecute(() => others++)));
  const { debug, failures, failed } = run(faulty, counting);
  assert.equal(debug, "x");
  assert.deepEqual(failed, ["faulty"]);
  assert.equal(failures.length, 1);
  assert.match(
    failures[0]!,
    /^Plugin "faulty" failed in its execution callback at manager_test\.ts:\d+ and is switched off: broken$/,
  );
  assert.ok(others >= ROUNDS);
});

Deno.test("exceptions in translation and exit callbacks, and at installation, stay the plugin's", () => {
  const inTranslation = plugin((host) =>
    host.onTranslate(() => {
      throw new Error("no");
    })
  );
  assert.match(
    run(inTranslation).failures[0]!,
    /"probe" failed in its translation callback at manager_test/,
  );
  const atExit = plugin((host) =>
    host.atExit(() => {
      throw "a string";
    })
  );
  assert.match(run(atExit).failures[0]!, /"probe" failed in its exit callback .*: a string/);
  const atInstall = plugin(() => {
    throw new Error("not today");
  });
  assert.throws(
    () => run(atInstall),
    (error: unknown) =>
      error instanceof PluginError && error.message === 'Cannot install plugin "probe": not today',
  );
});

Deno.test("a plugin that only watches changes nothing that the guest can see", () => {
  const plain = run();
  const watched = run(plugin((host) => {
    host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        instruction.onExecute(() => {});
        instruction.onMemory(() => {});
      }
    });
  }));
  assert.equal(watched.machine.cpu.instructions, plain.machine.cpu.instructions);
  assert.equal(watched.machine.clock.now(), plain.machine.clock.now());
  for (const name of ["eax", "ecx", "eip", "eflags"]) {
    assert.equal(
      watched.machine.cpu.registers.get(name),
      plain.machine.cpu.registers.get(name),
      name,
    );
  }
});

Deno.test("examples/instruction_count.ts counts by mnemonic", () => {
  const { texts } = run(instructionCount);
  const lines = texts.join("").trimEnd().split("\n").map((line) => line.trim());
  assert.equal(lines[0], `${INSTRUCTIONS} instructions`);
  assert.ok(lines.includes(`${2 * ROUNDS + 3}  mov`), lines.join("|"));
  assert.ok(lines.includes(`${ROUNDS}  jne`));
});

Deno.test("examples/memory_heat_map.ts draws the page that was accessed", () => {
  const { texts } = run(heatMap);
  const lines = texts.join("").trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.equal(lines[0], `00200000 |=${" ".repeat(63)}|`);
  assert.match(lines[1]!, /^2000 accesses to memory, 0 to devices/);
});
