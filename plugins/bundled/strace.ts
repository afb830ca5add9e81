/**
 * System calls by Linux's ABI on i386, of our kernel and of Linux: one line each when it returns, or a table.
 *
 * @module
 */
import { type AnyPlugin, definePlugin, type Syscall, wildcard } from "../api/mod.ts";
import { syscallName } from "./syscall_names.ts";

const ERROR_MAX = 4095;
const SHORT = 0x10000;

function value(word: number): string {
  const signed = word | 0;
  if (signed < 0 && signed >= -ERROR_MAX) return String(signed);
  return word < SHORT ? String(word) : `0x${word.toString(16)}`;
}

/** The bundled plugin `strace`. */
export const plugin: AnyPlugin = definePlugin({
  name: "strace",
  description: "system calls with arguments and results (Linux's ABI: our kernel, Linux)",
  options: {
    comm: { type: "string", help: "only of processes of this name", default: "*" },
    call: { type: "string", help: "only calls like this, open*", default: "*" },
    summary: { type: "boolean", help: "a table at the end instead of lines", default: false },
  },
  install(host, { comm, call: wanted, summary }) {
    const counts = new Map<string, { calls: number; errors: number; ns: number }>();
    // Some never return.
    const started = new WeakMap<Syscall, number>();
    const matches = wildcard(wanted);
    const filter = comm === "*" ? {} : { comm };
    host.onSyscall((call) => void started.set(call, host.timeNs), filter);
    host.onSyscallReturn(({ call, number, result }) => {
      const start = started.get(call);
      const name = syscallName(number);
      if (start === undefined || !matches(name)) return;
      const failed = result < 0 && result >= -ERROR_MAX;
      if (summary) {
        const one = counts.get(name) ?? { calls: 0, errors: 0, ns: 0 };
        one.calls++;
        one.errors += failed ? 1 : 0;
        one.ns += host.timeNs - start;
        counts.set(name, one);
        return;
      }
      const process = host.process();
      const who = process === undefined ? "" : `${process.name}[${process.pid}] `;
      host.out(`${who}${name}(${call.args.map(value).join(", ")}) = ${value(result >>> 0)}\n`);
    }, filter);
    host.atExit(() => {
      if (!summary) return;
      host.out("calls, errors, microseconds, call\n");
      const rows = [...counts].sort(([a, x], [b, y]) => y.ns - x.ns || (a < b ? -1 : 1));
      for (const [name, { calls, errors, ns }] of rows) {
        host.out(`${calls}, ${errors}, ${(ns / 1000).toFixed(0)}, ${name}\n`);
      }
    });
  },
});
