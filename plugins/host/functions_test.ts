/** Calls and returns of functions by name, interpreted and translated. @module */
import assert from "node:assert/strict";
import { definePlugin, type PluginHost } from "../mod.ts";
import { ENTRY, rawKernel, runPlugins } from "../test_machine.ts";

/**
 * mov esp, 300000h; push 3; push 2; call add; add esp, 8; mov eax, 1; mov edx, 2; mov ecx, 4; call sum3; push 4;
 * call fact; add esp, 4; call tail; push 9; call clean; xor eax, eax; out F4h, al; hlt.
 * add: its two arguments; sum3: those in registers, CDQ; fact: of itself; tail: jmp leaf; leaf: 7 and EDX 1; clean: its
 * argument becomes 0, FFFFFFF0h, RET 4.
 */
// deno-fmt-ignore
const CODE = [
  0xbc, 0x00, 0x00, 0x30, 0x00, 0x6a, 0x03, 0x6a, 0x02, 0xe8, 0x32, 0x00, 0x00, 0x00, 0x83, 0xc4,
  0x08, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xba, 0x02, 0x00, 0x00, 0x00, 0xb9, 0x04, 0x00, 0x00, 0x00,
  0xe8, 0x24, 0x00, 0x00, 0x00, 0x6a, 0x04, 0xe8, 0x23, 0x00, 0x00, 0x00, 0x83, 0xc4, 0x04, 0xe8,
  0x34, 0x00, 0x00, 0x00, 0x6a, 0x09, 0xe8, 0x3b, 0x00, 0x00, 0x00, 0x31, 0xc0, 0xe6, 0xf4, 0xf4,
  0x8b, 0x44, 0x24, 0x04, 0x03, 0x44, 0x24, 0x08, 0xc3, 0x01, 0xd0, 0x01, 0xc8, 0x99, 0xc3, 0x8b,
  0x44, 0x24, 0x04, 0x83, 0xf8, 0x01, 0x76, 0x0f, 0x48, 0x50, 0xe8, 0xf0, 0xff, 0xff, 0xff, 0x83,
  0xc4, 0x04, 0x0f, 0xaf, 0x44, 0x24, 0x04, 0xc3, 0xeb, 0x01, 0x90, 0xb8, 0x07, 0x00, 0x00, 0x00,
  0xba, 0x01, 0x00, 0x00, 0x00, 0xc3, 0xc7, 0x44, 0x24, 0x04, 0x00, 0x00, 0x00, 0x00, 0xb8, 0xf0,
  0xff, 0xff, 0xff, 0xc2, 0x04, 0x00,
];
const PLACES = { main: 0, add: 0x40, sum3: 0x49, fact: 0x4f, tail: 0x68, leaf: 0x6b, clean: 0x76 };
const FUNCTIONS = Object.entries(PLACES).map(([name, at], i, all) => ({
  name,
  address: ENTRY + at,
  size: (all[i + 1]?.[1] ?? CODE.length) - at,
}));

/** What a plugin notes, the same in both engines. */
function noted(install: (host: PluginHost, note: (text: string) => void) => void): string[] {
  const results = [0, 1].map((translateAfter) => {
    const notes: string[] = [];
    const plugin = definePlugin({
      name: "probe",
      description: "",
      install: (host) => install(host, (text) => void notes.push(text)),
    });
    const options = { translateAfter, functions: FUNCTIONS };
    const { failures } = runPlugins(rawKernel(CODE), [plugin], options);
    assert.deepEqual(failures, []);
    return notes;
  });
  assert.deepEqual(results[1], results[0]);
  return results[0] as string[];
}
const place = (address: number): string => (address - ENTRY).toString(16);

Deno.test("onCall() tells of a function's calls with arguments, before its first instruction", () => {
  const calls = noted((host, note) => {
    host.onCall("add", ({ symbol, args, returnAddress, address, esp }) => {
      note(`${symbol} ${args(2)} ${place(returnAddress)} ${place(address)} ${esp.toString(16)}`);
      assert.equal(host.readRegister("eip"), address);
    });
    host.onCall("sum3", ({ args }) => note(`sum3 ${args(3)}`), { convention: "regparm3" });
    host.onCall("fact", ({ args }) => note(`fact ${args(1)}`));
  });
  assert.deepEqual(calls, [
    ...["add 2,3 e 40 2ffff4", "sum3 1,2,4", "fact 4", "fact 3", "fact 2", "fact 1"],
  ]);
});

Deno.test("wildcards and filters choose among functions", () => {
  const all = noted((host, note) => host.onCall("*", ({ symbol }) => note(symbol)));
  assert.equal(all.join(" "), "main add sum3 fact fact fact fact tail leaf clean");
  const some = noted((host, note) => {
    host.onCall("*a*t*", ({ symbol }) => note(symbol), { every: 2 });
    host.onCall("*", ({ symbol }) => note(`once ${symbol}`), { once: true });
  });
  assert.deepEqual(some, ["once main", "fact", "fact"]);
});

Deno.test("onReturn() tells of what functions give, of recursion the innermost first", () => {
  const returns = noted((host, note) => {
    host.onReturn("fact", ({ call, value, instructions }) => {
      note(`${call.args(1)}! = ${value} in ${instructions}`);
    });
    host.onReturn(
      "clean",
      ({ call, value }) => note(`clean ${call.args(1)} ${value.toString(16)}`),
    );
    host.onReturn(
      "leaf",
      ({ call, value64 }) => note(`leaf ${place(call.returnAddress)} ${value64}`),
    );
    host.onReturn("tail", ({ value }) => note(`tail ${value}`));
    host.onReturn("sum3", ({ call, value }) => note(`${call.args(3)}: ${value}`), {
      convention: "regparm3",
    });
  });
  assert.deepEqual(returns, [
    "1,2,4: 7",
    ...["1! = 1 in 4", "2! = 2 in 13", "3! = 6 in 22", "4! = 24 in 31"],
    // The call that returns is the inner one's; both have the place to return to.
    ...["leaf 34 4294967303", "tail 7"],
    "clean 9 fffffff0",
  ]);
});

Deno.test("what is disposed of is told nothing any more, and leaves no hooks", () => {
  const notes = noted((host, note) => {
    host.onCall("fact", () => note("call"));
    host.onReturn("add", () => host.reset(() => note("reset")));
  });
  assert.deepEqual(notes, ["reset"]);
  const others = noted((host, note) => {
    const calls = host.onCall("fact", ({ args }) => {
      note(`call ${args(1)}`);
      if (args(1)[0] === 3) calls[Symbol.dispose]();
    });
  });
  assert.deepEqual(others, ["call 4", "call 3"]);
  const first = noted((host, note) => {
    const returns = host.onReturn("fact", ({ value }) => {
      note(`return ${value}`);
      returns[Symbol.dispose]();
    });
  });
  assert.deepEqual(first, ["return 1"]);
});

Deno.test("hooks on return addresses go with the last who hears of returns", () => {
  let hooks = 0;
  const seen: number[] = [];
  const plugin = definePlugin({
    name: "probe",
    description: "",
    install: (host) => {
      const both = ["fact", "add"].map((name) => host.onReturn(name, () => {}));
      host.onCall("tail", () => {
        seen.push(hooks);
        both[0]?.[Symbol.dispose]();
        seen.push(hooks);
        both[1]?.[Symbol.dispose]();
        seen.push(hooks);
      });
    },
  });
  runPlugins(rawKernel(CODE), [plugin], {
    functions: FUNCTIONS,
    prepare: ({ cpu }) => {
      const onTranslate = cpu.hooks.onTranslate.bind(cpu.hooks);
      cpu.hooks.onTranslate = (callback, range) => {
        const hook = onTranslate(callback, range);
        hooks++;
        return {
          [Symbol.dispose]: () => {
            hooks--;
            hook[Symbol.dispose]();
          },
        };
      };
    },
  });
  // Three entries, and where add, fact and the inner fact return to; then without fact's; at last tail's alone.
  assert.deepEqual(seen, [6, 5, 1]);
});
