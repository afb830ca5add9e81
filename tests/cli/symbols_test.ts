/**
 * Symbols from lists in nm's form.
 *
 * @module
 */
import assert from "node:assert/strict";
import { UserError } from "../../cli/report.ts";
import { givenSymbols } from "../../cli/symbol_file.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("givenSymbols() reads System.map and /proc/kallsyms, code and data apart", () => {
  const table = givenSymbols(
    encode(
      "c1000000 T startup_32\nc1000040 t helper\nc1800000 D jiffies\nf8000010 t ext4_read\t[ext4]\n",
    ),
    "System.map",
  );
  assert.deepEqual(table.at(0xc1000044), { name: "helper", offset: 4, image: "kernel" });
  assert.equal(table.at(0xf8000018)?.name, "ext4_read");
  assert.equal(table.at(0xc1800000), undefined, "data is no function");
  assert.equal(table.at(0xe0000000), undefined, "nothing is there");
  assert.equal(table.find("jiffies"), 0xc1800000);
});

Deno.test("givenSymbols() says in a sentence that there are none", () => {
  for (const text of ["", "hello\n", "00000000 T hidden\n", "\x7fELF damaged"]) {
    assert.throws(
      () => givenSymbols(encode(text), "list"),
      (error: unknown) => error instanceof UserError && /"list" has no symbols/.test(error.message),
    );
  }
});
