/**
 * Our own machine as a guest console, like QEMU's in console_session.ts.
 *
 * @module
 */
import { FileDisk, hostTime } from "../../devices/host/mod.ts";
import { Machine } from "../../devices/mod.ts";
import type { GuestConsole, QemuOptions } from "./console_session.ts";

/** Boots our machine, or one with another processor, with COM1 as the console; the guest writes to the disk. */
export function machineConsole(options: QemuOptions & { model?: "p4" | undefined }): GuestConsole {
  const disk = new FileDisk(options.disk, { readOnly: false });
  const end = new AbortController();
  let machine: Machine;
  let running: Promise<unknown> = Promise.resolve();
  const output = new ReadableStream<Uint8Array>({
    start(controller) {
      machine = new Machine({
        ramBytes: (options.ram ?? 128) << 20,
        disks: [disk],
        serial: (bytes) => controller.enqueue(bytes),
        clock: "wall",
        host: hostTime,
        ...(options.model === undefined ? {} : { cpu: options.model }),
      });
      machine.loadKernel(Deno.readFileSync(options.kernel), options.commandLine);
      running = machine.run({ signal: end.signal }).finally(() => {
        disk[Symbol.dispose]();
        controller.close();
      });
    },
  });
  return {
    output,
    send(bytes) {
      machine.sendSerial(bytes);
      return Promise.resolve();
    },
    async stop() {
      end.abort();
      machine.wake();
      await running;
    },
  };
}
