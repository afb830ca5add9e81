/**
 * Every function of QEMU's plugin API, version 7 (include/plugins/qemu-plugin.h of QEMU 11.1), by what its counterpart
 * does on a guest; docs/plugins.md names each.
 * @module
 */
import assert from "node:assert/strict";
import type { Machine } from "../../devices/mod.ts";
import {
  type AnyPlugin,
  boolParse,
  definePlugin,
  type Instruction,
  type MemoryAccess,
  type PluginHost,
} from "../mod.ts";
import { ENTRY, LOAD, type PluginRun, rawKernel, runPlugins } from "../test_machine.ts";
import { AT, CELL, DEVICE, GUEST, IDT, prepare, ROUNDS } from "../test_guest.ts";

function plugin(install: (host: PluginHost) => void, name = "probe"): AnyPlugin {
  return definePlugin({ name, description: "", install });
}
/** How the guest of a check is run: each is interpreted, and translated at once. */
let translateAfter = 0;
/** Runs the guest with a plugin, which must not fail. */
function run(install: (host: PluginHost) => void): PluginRun {
  const result = runPlugins(rawKernel(GUEST), [plugin(install)], { prepare, translateAfter });
  assert.deepEqual(result.failures, []);
  return result;
}
/** Calls `use` with the instruction at an address, whenever it is translated. */
function on(host: PluginHost, address: number, use: (instruction: Instruction) => void): void {
  host.onTranslate((block) => block.instructions.forEach(use), {
    range: { start: address, end: address + 1 },
  });
}
/** Calls back before the instruction at an address. */
function before(host: PluginHost, address: number, callback: () => void): void {
  on(host, address, (instruction) => instruction.onExecute(callback));
}
/** The accesses of the instruction at an address. */
function accesses(address: number): MemoryAccess[] {
  const seen: MemoryAccess[] = [];
  run((host) => on(host, address, (one) => one.onMemory((access) => void seen.push(access))));
  return seen;
}
/** The instruction at an address, at translation. */
function translated<T>(address: number, look: (instruction: Instruction) => T): T {
  const found: T[] = [];
  run((host) => on(host, address, (one) => void found.push(look(one))));
  assert.ok(found.length > 0);
  return found[0] as T;
}
function bytesOf(machine: Machine, address: number): number {
  return machine.cpu.memory.read32(address);
}

/** By the names of QEMU's functions, without `qemu_plugin_`. */
const FUNCTIONS: Readonly<Record<string, () => void>> = {
  uninstall: () => {
    let [calls, ended] = [0, 0];
    const { failures } = run((host) => {
      before(host, AT.STORE, () => {
        if (++calls === 3) host.uninstall(() => ended++);
      });
      host.atExit(() => calls = -1);
    });
    assert.deepEqual([calls, ended, failures.length], [3, 1, 0]);
  },
  reset: () => {
    const seen: string[] = [];
    run((host) => {
      before(host, AT.STORE, () => {
        seen.push("old");
        if (seen.length === 2) host.reset(() => before(host, AT.DEC, () => void seen.push("new")));
      });
    });
    assert.deepEqual(seen.slice(0, 3), ["old", "old", "new"]);
    assert.equal(seen.length, 2 + ROUNDS - 1);
  },
  "register_flush_cb": () => {
    let flushed = 0;
    run((host) => {
      const board = host.scoreboard("n");
      before(host, AT.OUT, () => board[Symbol.dispose]());
      host.onFlush(() => flushed++);
    });
    assert.equal(flushed, 1);
  },
  "register_atexit_cb": () => {
    let at = 0;
    const { machine } = run((host) => host.atExit(() => at = host.instructions));
    assert.equal(at, machine.cpu.instructions);
    assert.ok(at > 4 * ROUNDS);
  },
  "register_vcpu_init_cb": () => {
    const seen: number[] = [];
    run((host) => host.onVcpuInit(({ index }) => void seen.push(index, host.instructions)));
    assert.deepEqual(seen, [0, 0]);
  },
  "register_vcpu_exit_cb": () => {
    const order: string[] = [];
    run((host) => {
      host.atExit(() => order.push("exit"));
      host.onVcpuExit(({ index }) => order.push(`vcpu ${index}`));
    });
    assert.deepEqual(order, ["vcpu 0", "exit"]);
  },
  "register_vcpu_idle_cb": () => assert.deepEqual(idling(), ["idle 4", "resume 4"]),
  "register_vcpu_resume_cb": () => assert.deepEqual(idling().slice(1), ["resume 4"]),
  "vcpu_for_each": () => {
    run((host) => assert.deepEqual(host.vcpus.map(({ index }) => index), [0]));
  },
  "num_vcpus": () => {
    run((host) => assert.deepEqual([host.info.vcpus, host.info.maxVcpus], [1, 1]));
  },
  "register_vcpu_discon_cb": () => {
    const seen: string[] = [];
    run((host) =>
      host.onDiscontinuity(({ type, vector, from, to }) => {
        seen.push(`${type} ${vector} ${(from - ENTRY).toString(16)} ${(to - ENTRY).toString(16)}`);
      })
    );
    assert.deepEqual(seen, [
      "iret -1 52 53",
      ...["software 128 76 8b", "iret -1 8d 78"],
      ...["software 128 82 8b", "iret -1 8d 84"],
      "exception 6 89 8e",
    ]);
    const some: string[] = [];
    run((host) => host.onDiscontinuity(({ type }) => some.push(type), { types: ["exception"] }));
    assert.deepEqual(some, ["exception"]);
  },
  "register_vcpu_tb_trans_cb": () => {
    const addresses = new Set<number>();
    run((host) => host.onTranslate((block) => addresses.add(block.address)));
    for (const one of [ENTRY, AT.STORE, AT.DEVICE, AT.USER, AT.HANDLER, AT.FAULT]) {
      assert.ok(addresses.has(one), (one - ENTRY).toString(16));
    }
  },
  "tb_n_insns": () => {
    const lengths = new Map<number, number>();
    run((host) =>
      host.onTranslate((block) => lengths.set(block.address, block.instructions.length))
    );
    assert.equal(lengths.get(AT.STORE), 4);
  },
  "tb_vaddr": () => {
    run((host) =>
      host.onTranslate((block) => assert.equal(block.address, block.instructions[0]?.address))
    );
  },
  "tb_get_insn": () => {
    const found: number[][] = [];
    run((host) =>
      host.onTranslate(({ address, instructions }) => {
        if (address === AT.STORE) found.push(instructions.map((one) => one.address));
      })
    );
    assert.deepEqual(found[0], [AT.STORE, AT.MOVSX, AT.DEC, AT.JNZ]);
  },
  "insn_data": () => {
    assert.deepEqual([...translated(AT.STORE, (one) => one.bytes())], GUEST.slice(0x27, 0x2d));
  },
  "insn_size": () => assert.equal(translated(AT.MOVSX, ({ size }) => size), 7),
  "insn_vaddr": () => assert.equal(translated(AT.DEC, ({ address }) => address), AT.DEC),
  "insn_haddr": () => assert.equal(translated(AT.DEC, ({ physical }) => physical), AT.DEC),
  "insn_disas": () => {
    assert.match(translated(AT.MOVSX, (one) => one.disassembly()), /^movsx eax,.*200000h?\]$/i);
    assert.equal(translated(AT.DEC, (one) => one.mnemonic()), "dec");
  },
  "insn_symbol": () => assert.equal(translated(AT.DEC, (one) => one.symbol()), "main"),
  "register_vcpu_tb_exec_cb": () => {
    let calls = 0;
    run((host) =>
      host.onTranslate((block) => {
        if (block.address === AT.STORE) block.onExecute(() => calls++);
      })
    );
    // The first round belongs to the block before.
    assert.equal(calls, ROUNDS - 1);
  },
  "register_vcpu_insn_exec_cb": () => {
    const values: number[] = [];
    run((host) => before(host, AT.DEC, () => values.push(host.readRegister("ecx"))));
    assert.deepEqual(values, Array.from({ length: ROUNDS }, (_, i) => ROUNDS - i));
  },
  "register_vcpu_tb_exec_cond_cb": () => {
    assert.deepEqual(conditional("block"), [50, 49, 48, 1]);
  },
  "register_vcpu_insn_exec_cond_cb": () => {
    assert.deepEqual(conditional("instruction"), [50, 49, 48, 1]);
  },
  "register_vcpu_tb_exec_inline_per_vcpu": () => {
    let sum = 0n;
    run((host) => {
      const n = host.scoreboard("n").u64("n");
      host.onTranslate((block) => {
        if (block.address === AT.STORE) block.inline("add", n, 3);
      });
      host.atExit(() => sum = n.sum());
    });
    assert.equal(sum, 3n * BigInt(ROUNDS - 1));
  },
  "register_vcpu_insn_exec_inline_per_vcpu": () => {
    const values: bigint[] = [];
    run((host) => {
      const board = host.scoreboard("sum", "stored", "large");
      on(host, AT.DEC, (one) => {
        one.inline("add", board.u64("sum"), -2);
        one.inline("store", board.u64("stored"), 2n ** 63n);
        one.inline("add", board.u64("large"), 2n ** 40n);
      });
      host.atExit(() => values.push(...Object.values(board.find({ index: 0 }))));
    });
    const rounds = BigInt(ROUNDS);
    assert.deepEqual(values, [2n ** 64n - 2n * rounds, 2n ** 63n, rounds << 40n]);
  },
  "scoreboard_new": () => {
    run((host) => {
      const board = host.scoreboard("a", "b");
      assert.deepEqual({ ...board.find({ index: 0 }) }, { a: 0n, b: 0n });
      assert.throws(() => board.u64("c" as "a"), RangeError);
    });
  },
  "scoreboard_free": () => {
    run((host) => {
      // More than there are at a time.
      for (let i = 0; i < 5000; i++) {
        using board = host.scoreboard("n");
        assert.equal(board.u64("n").sum(), 0n);
        board.u64("n").set({ index: 0 }, 9);
      }
      const board = host.scoreboard("n");
      board[Symbol.dispose]();
      assert.throws(() => board.u64("n"), /freed/);
    });
  },
  "scoreboard_find": () => {
    const seen: bigint[] = [];
    run((host) => {
      const board = host.scoreboard("n");
      on(host, AT.DEC, (one) => one.inline("add", board.u64("n"), 1));
      host.onVcpuInit((vcpu) => board.find(vcpu).n = 1000n);
      before(host, AT.OUT, () => seen.push(board.find({ index: 0 }).n));
    });
    assert.deepEqual(seen, [1000n + BigInt(ROUNDS)]);
  },
  "u64_add": () => {
    run((host) => {
      const n = host.scoreboard("n").u64("n");
      n.add({ index: 0 }, 5);
      n.add({ index: 0 }, 2n ** 64n - 2n);
      assert.equal(n.get({ index: 0 }), 3n);
    });
  },
  "u64_get": () => {
    const seen: bigint[] = [];
    run((host) => {
      const n = host.scoreboard("n").u64("n");
      on(host, AT.DEC, (one) => one.inline("add", n, 1));
      before(host, AT.JNZ, () => seen.push(n.get({ index: 0 })));
    });
    assert.deepEqual(seen, Array.from({ length: ROUNDS }, (_, i) => BigInt(i + 1)));
  },
  "u64_set": () => {
    let last = 0n;
    run((host) => {
      const n = host.scoreboard("n").u64("n");
      before(host, AT.DEVICE, () => n.set({ index: 0 }, 7));
      on(host, AT.DEC, (one) => one.inline("add", n, 1));
      host.atExit(() => last = n.sum());
    });
    assert.equal(last, 7n);
  },
  "u64_sum": () => {
    run((host) => {
      const n = host.scoreboard("n").u64("n");
      n.set({ index: 0 }, 2n ** 64n - 1n);
      assert.equal(n.sum(), 2n ** 64n - 1n);
    });
  },
  "register_vcpu_mem_cb": () => {
    const seen = accesses(AT.STORE);
    assert.deepEqual(seen.map(({ address, value }) => [address, value]), [
      ...Array.from({ length: ROUNDS }, (_, i) => [CELL, ROUNDS - i]),
    ]);
    let reads = 0;
    run((host) => on(host, AT.STORE, (one) => one.onMemory(() => reads++, "r")));
    assert.equal(reads, 0);
  },
  "register_vcpu_mem_inline_per_vcpu": () => {
    let values: bigint[] = [];
    run((host) => {
      const board = host.scoreboard("writes", "reads", "last");
      for (const address of [AT.STORE, AT.MOVSX]) {
        on(host, address, (one) => {
          one.inlineMemory("add", board.u64("writes"), 1, "w");
          one.inlineMemory("add", board.u64("reads"), 10, "r");
          one.inlineMemory("store", board.u64("last"), address);
        });
      }
      host.atExit(() => values = Object.values(board.find({ index: 0 })));
    });
    assert.deepEqual(values, [BigInt(ROUNDS), 10n * BigInt(ROUNDS), BigInt(AT.MOVSX)]);
  },
  "mem_size_shift": () => {
    assert.deepEqual([accesses(AT.STORE)[0]?.sizeShift, accesses(AT.MOVSX)[0]?.sizeShift], [2, 0]);
  },
  "mem_is_sign_extended": () => {
    const extended = [AT.STORE, AT.MOVSX].map((at) => accesses(at)[0]?.signExtended);
    assert.deepEqual(extended, [false, true]);
  },
  "mem_is_big_endian": () => assert.equal(accesses(AT.STORE)[0]?.bigEndian, false),
  "mem_is_store": () => {
    assert.deepEqual([AT.STORE, AT.MOVSX].map((at) => accesses(at)[0]?.write), [true, false]);
  },
  "mem_get_value": () => {
    const [store, load] = [accesses(AT.STORE)[3], accesses(AT.MOVSX)[3]];
    assert.deepEqual([store?.value, store?.valueType], [ROUNDS - 3, "u32"]);
    assert.deepEqual([load?.value, load?.valueType], [ROUNDS - 3, "u8"]);
  },
  "get_hwaddr": () => assert.equal(accesses(AT.STORE)[0]?.physical, CELL),
  "hwaddr_is_io": () => {
    assert.deepEqual([AT.STORE, AT.DEVICE].map((at) => accesses(at)[0]?.io), [false, true]);
  },
  "hwaddr_phys_addr": () => assert.equal(accesses(AT.DEVICE)[0]?.physical, DEVICE),
  "hwaddr_device_name": () => {
    assert.equal(accesses(AT.STORE)[0]?.device, "RAM");
    assert.match(accesses(AT.DEVICE)[0]?.device ?? "", /apic/i);
  },
  "get_registers": () => {
    run((host) => {
      const all = new Map(host.registers().map((one) => [one.name, one]));
      assert.deepEqual(all.get("eax"), {
        name: "eax",
        feature: "org.gnu.gdb.i386.core",
        bytes: 4,
        readOnly: false,
      });
      assert.equal(all.get("cr2")?.bytes, 4);
      assert.equal(all.get("st7")?.bytes, 10);
      assert.equal(all.get("xmm0")?.feature, "org.gnu.gdb.i386.sse");
      assert.equal(all.get("cs_base")?.readOnly, true);
    });
  },
  "read_register": () => {
    let seen: unknown[] = [];
    run((host) =>
      before(host, AT.INT, () => {
        const wide = [...host.readRegisterBytes("ecx")];
        seen = [host.readRegister("ebp"), host.readRegister("cs"), host.readRegister("eip"), wide];
        assert.throws(() => host.readRegister("rax"), RangeError);
      })
    );
    assert.deepEqual(seen, [8, 0x1b, AT.INT, [0, 0x10, 0, 0]]);
  },
  "write_register": () => {
    const { machine } = run((host) =>
      before(host, AT.HANDLER, () => {
        if (host.readRegister("eax") === 4) host.writeRegister("eax", 5);
        else host.writeRegisterBytes("eax", new Uint8Array([1, 0, 0, 0]));
        assert.throws(() => host.writeRegister("cs_base", 0), RangeError);
      })
    );
    assert.deepEqual([0x10, 0x14].map((at) => bytesOf(machine, CELL + at) | 0), [-5, -1]);
  },
  "set_pc": () => {
    const { debug } = run((host) => before(host, AT.OUT, () => host.setPc(AT.NOP)));
    assert.equal(debug, "");
  },
  "read_memory_vaddr": () => {
    const seen: unknown[] = [];
    run((host) =>
      before(host, AT.OUT, () => {
        seen.push([...host.readMemory(AT.OUT, 2) ?? []], host.readMemory(DEVICE, 4));
      })
    );
    assert.deepEqual(seen, [[0xe6, 0xe9], undefined]);
  },
  "write_memory_vaddr": () => {
    const done: boolean[] = [];
    const { debug } = run((host) =>
      before(host, AT.DEVICE, () => {
        // Of code that has not run, and of what is no memory.
        done.push(host.writeMemory(AT.OUT - 1, new Uint8Array([0x79])));
        done.push(host.writeMemory(DEVICE, new Uint8Array(4)));
      })
    );
    assert.deepEqual([debug, done], ["y", [true, false]]);
  },
  "read_memory_hwaddr": () => {
    run((host) => {
      assert.deepEqual([...host.readPhysical(ENTRY, 5) ?? []], GUEST.slice(0, 5));
      assert.equal(host.readPhysical(host.info.ramBytes - 2, 4), undefined);
    });
  },
  "write_memory_hwaddr": () => {
    const { debug } = run((host) => {
      assert.ok(host.writePhysical(AT.OUT - 1, new Uint8Array([0x7a])));
      assert.ok(!host.writePhysical(host.info.ramBytes, new Uint8Array(1)));
    });
    assert.equal(debug, "z");
  },
  "translate_vaddr": () => {
    run((host) => before(host, AT.OUT, () => assert.equal(host.translate(CELL + 5), CELL + 5)));
  },
  "register_vcpu_syscall_cb": () => {
    const seen: unknown[] = [];
    run((host) => host.onSyscall((call) => seen.push([call.number, ...call.args, call.address])));
    assert.deepEqual(seen, [
      [4, 1, 0x1000, 5, 6, 7, 8, AT.INT],
      [20, 1, 0x1000, 5, 6, 7, 8, AT.INT + 0xc],
    ]);
    let calls = 0;
    run((host) => host.onSyscall(() => calls++, { vector: 20 }));
    assert.equal(calls, 1);
  },
  "register_vcpu_syscall_filter_cb": () => {
    const handled: number[] = [];
    const { machine } = run((host) => {
      host.onSyscallFilter(({ number }) => number === 4 ? -11 : undefined);
      before(host, AT.HANDLER, () => handled.push(host.readRegister("eax")));
    });
    assert.deepEqual(handled, [20]);
    assert.deepEqual([0x10, 0x14].map((at) => bytesOf(machine, CELL + at) | 0), [-11, -20]);
  },
  "register_vcpu_syscall_ret_cb": () => {
    const seen: unknown[] = [];
    run((host) =>
      host.onSyscallReturn(({ number, result, call }) => seen.push([number, result, call.by]))
    );
    assert.deepEqual(seen, [[4, -4, "int"], [20, -20, "int"]]);
  },
  "request_time_control": () => {
    const first = plugin((host) => {
      const control = host.requestTimeControl();
      assert.ok(control !== undefined);
      assert.equal(host.requestTimeControl(), undefined);
      return { control };
    }, "first");
    const second = plugin((host) => assert.equal(host.requestTimeControl(), undefined), "second");
    assert.deepEqual(
      runPlugins(rawKernel(GUEST), [first, second], { prepare, translateAfter }).failures,
      [],
    );
  },
  "update_ns": () => {
    const times: number[] = [];
    run((host) => {
      const control = host.requestTimeControl();
      before(host, AT.DEVICE, () => {
        control?.updateNs(5e9);
        control?.updateNs(1e9);
      });
      before(host, AT.OUT, () => times.push(host.timeNs));
    });
    assert.ok((times[0] ?? 0) >= 5e9 && (times[0] ?? 0) < 5.001e9, `${times}`);
  },
  outs: () => assert.deepEqual(run((host) => host.out("text\n")).texts, ["text\n"]),
  "bool_parse": () => {
    assert.deepEqual(["on", "Yes", "TRUE"].map(boolParse), [true, true, true]);
    assert.deepEqual(["off", "no", "false", "1", ""].map(boolParse), [
      ...[false, false, false, undefined, undefined],
    ]);
  },
  "path_to_binary": () => run((host) => assert.equal(host.binary?.path, "kernel")),
  "start_code": () => run((host) => assert.equal(host.binary?.startCode, LOAD)),
  "end_code": () => run((host) => assert.equal(host.binary?.endCode, LOAD + 4096)),
  "entry_code": () => run((host) => assert.equal(host.binary?.entryCode, ENTRY)),
};

/** HLT with an NMI that ends it. */
function idling(): string[] {
  const order: string[] = [];
  // lgdt [201000h]; lidt [201008h]; sti; hlt; mov al, 0; out F4h, al; handler: iretd
  const kernel = rawKernel([...GUEST.slice(5, 19), 0xfb, 0xf4, 0xb0, 0, 0xe6, 0xf4, 0xcf]);
  const probe = plugin((host) => {
    host.onVcpuIdle(() => order.push(`idle ${host.instructions}`));
    host.onVcpuResume(() => order.push(`resume ${host.instructions}`));
  });
  const { failures } = runPlugins(kernel, [probe], {
    translateAfter,
    prepare: (machine) => {
      prepare(machine);
      const { cpu, clock } = machine;
      cpu.memory.write32(IDT + 8 * 2, 8 << 16 | (ENTRY + 20) & 0xffff);
      cpu.memory.write32(IDT + 8 * 2 + 4, ENTRY & 0xffff0000 | 0x8e00);
      clock.timer(() => cpu.nmi()).arm(1e6);
    },
  });
  assert.deepEqual(failures, []);
  return order;
}
/** Calls of a callback in 99 rounds, conditional on their count: below 50, from 50 on, above 50, at 50. */
function conditional(kind: "block" | "instruction"): number[] {
  const calls = [0, 0, 0, 0];
  run((host) => {
    const n = host.scoreboard("n").u64("n");
    const kinds = [["lt", 50], ["ge", 50], ["gt", 50], ["eq", 50], ["never", 0]] as const;
    host.onTranslate((block) => {
      const one = block.instructions[0];
      if (one?.address !== AT.STORE) return;
      for (const [i, [is, value]] of kinds.entries()) {
        const call = (): void => void calls[i]++;
        const filter = { condition: { entry: n, is, value } };
        if (kind === "block") block.onExecute(call, filter);
        else one.onExecute(call, filter);
      }
      one.inline("add", n, 1);
    });
  });
  return calls;
}

for (const [name, check] of Object.entries(FUNCTIONS)) {
  Deno.test(`qemu_plugin_${name}`, () => {
    for (translateAfter of [0, 1]) check();
  });
}

Deno.test("docs/plugins.md has a counterpart of each of the 65 functions, and no other", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/plugins.md", import.meta.url));
  const rows = [...text.matchAll(/^\| `qemu_plugin_(\w+)` +\| (.*?) +\|/gm)];
  const documented = new Map(rows.map(([, name = "", counterpart = ""]) => [name, counterpart]));
  assert.deepEqual([...documented.keys()].toSorted(), Object.keys(FUNCTIONS).toSorted());
  assert.equal(documented.size, 65);
  for (const [name, counterpart] of documented) assert.match(counterpart, /^`.+`/, name);
});
