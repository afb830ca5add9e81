/**
 * How long interrupt handlers run, by vector: from the delivery to the IRET that ends it, in instructions.
 *
 *     deno run -A mod.ts boot disk.img --plugin examples/interrupt_latency.ts,log=on
 *
 * @module
 */
import { type AnyPlugin, definePlugin } from "@overture/overture/plugins";

interface Latency {
  count: number;
  total: number;
  longest: number;
}

export const plugin: AnyPlugin = definePlugin({
  name: "interrupt-latency",
  description: "measures interrupt handlers from delivery to IRET",
  options: { log: { type: "boolean", help: "print every interrupt", default: false } },
  install(host, options) {
    const latencies = new Map<number, Latency>();
    /** What is being handled, innermost last: vector, where it came from, when. */
    const open: { vector: number; from: number; start: number }[] = [];
    host.onDiscontinuity((event) => {
      if (event.type === "interrupt") {
        open.push({ vector: event.vector, from: event.from, start: host.instructions });
        return;
      }
      if (event.type !== "iret") return;
      // An IRET ends the handler if it goes back to where that one interrupted; others end faults and
      // system calls. A handler that switched tasks is ended by the IRET of a later turn.
      const index = open.findLastIndex(({ from }) => from === event.to);
      if (index < 0) return;
      const { vector, start } = open.splice(index)[0]!;
      const instructions = host.instructions - start;
      const latency = latencies.get(vector) ?? { count: 0, total: 0, longest: 0 };
      latency.count++;
      latency.total += instructions;
      latency.longest = Math.max(latency.longest, instructions);
      latencies.set(vector, latency);
      if (options.log) {
        const name = host.symbols.at(event.to)?.name ?? `0x${event.to.toString(16)}`;
        host.out(`vector ${vector}: ${instructions} instructions, back to ${name}\n`);
      }
    });
    host.atExit(() => {
      host.out("vector     count   average   longest (instructions)\n");
      for (const [vector, { count, total, longest }] of [...latencies].sort(([a], [b]) => a - b)) {
        const columns = [count, Math.round(total / count), longest];
        host.out(
          `${String(vector).padStart(6)}${
            columns.map((value) => String(value).padStart(10)).join("")
          }\n`,
        );
      }
    });
  },
});
