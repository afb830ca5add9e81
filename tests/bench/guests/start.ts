/**
 * `overture boot` up to the kernel's first instruction, as a process of its own that prints when it reached what:
 * a line of JSON, milliseconds since 1970 by name, on standard output. Arguments are those of the program.
 *
 * @module
 */

const times: Record<string, number> = {};
const reached = (name: string): void => {
  times[name] ??= performance.timeOrigin + performance.now();
};

reached("script");
const { main } = await import("../../../cli/main.ts");
reached("modules");
const { Cpu } = await import("../../../cpu/mod.ts");
const { Machine } = await import("../../../devices/mod.ts");
const { FileDisk } = await import("../../../devices/host/mod.ts");

/** Notes when something is first called and first done. */
function watch<T extends object>(target: T, key: keyof T & string, name: string): void {
  const original = target[key] as (...args: unknown[]) => unknown;
  target[key] = function (this: unknown, ...args: unknown[]): unknown {
    reached(`${name} begins`);
    try {
      return original.apply(this, args);
    } finally {
      reached(`${name} done`);
    }
  } as T[typeof key];
}

watch(FileDisk.prototype, "read", "disk");
watch(Machine.prototype, "loadKernel", "loading");
const NativeModule = WebAssembly.Module;
WebAssembly.Module = class extends NativeModule {
  constructor(bytes: BufferSource) {
    reached("compilation begins");
    super(bytes);
    reached("compilation done");
  }
};
const run = Cpu.prototype.run;
Cpu.prototype.run = function (): never {
  reached("run begins");
  run.call(this, 1);
  reached("first instruction");
  console.log(JSON.stringify(times));
  Deno.exit(0);
};

await main(Deno.args);
