/** What `--gdb` takes, and what it says. @module */
import assert from "node:assert/strict";
import { gdbPlace, parseGdbAddress } from "./gdb.ts";

Deno.test("parseGdbAddress() takes a port, a host with a port, and a socket's path", () => {
  for (
    const [text, place] of [
      ["1234", "127.0.0.1:1234"],
      [":1234", "127.0.0.1:1234"],
      ["0.0.0.0:65535", "0.0.0.0:65535"],
      ["[::1]:1234", "[::1]:1234"],
      ["::1:1234", "[::1]:1234"],
      ["unix:/tmp/g", "/tmp/g"],
    ] as const
  ) assert.equal(gdbPlace(parseGdbAddress(text)), place);
  for (const text of ["", "unix:", "65536", "host:", "host:12x", "-1"]) {
    assert.throws(() => parseGdbAddress(text), /--gdb takes \[HOST:\]PORT or unix:PATH/);
  }
});
