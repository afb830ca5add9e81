/** Random operations on ext2 against a model, then e2fsck. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { differences, Model, type Operation, perform } from "./file_model.ts";
import { checkImage, makeImage, startFileSystem } from "./file_system_unit.ts";

const name = fc.constantFrom("a", "b", "c", "d", "a-rather-long-name-for-a-file-in-here");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => "/" + parts.join("/"));
const seed = fc.nat(255);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("mkdir" as const), path }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("write" as const),
      path,
      offset: fc.oneof(fc.nat(9000), fc.nat(400_000)),
      length: fc.nat(20_000),
      seed,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      path,
      length: fc.nat(6000),
      seed,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("truncate" as const),
      path,
      size: fc.oneof(fc.nat(5000), fc.nat(500_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("unlink" as const), path }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("rmdir" as const), path }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("rename" as const), path, to: path }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("link" as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("symlink" as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("drop" as const, "sync" as const) }) },
);

for (const blockSize of [1024, 4096]) {
  Deno.test(`ext2 with blocks of ${blockSize}: any sequence of operations does what the model does`, async () => {
    const image = makeImage(8192, "-b", String(blockSize), "-N", "256");
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 20, maxLength: 120, size: "max" }),
        async (operations) => {
          const fs = await startFileSystem(image.slice(), 2048);
          assert.equal(fs.mount(), 0);
          const model = new Model();
          for (const [i, step] of operations.entries()) {
            const expected = model.run(step);
            assert.equal(perform(fs, step), expected, `step ${i}: ${JSON.stringify(step)}`);
          }
          assert.deepEqual(differences(fs, model.root), []);
          assert.equal(fs.unit.call["openFiles"]!(), 0);
          fs.shutdown();
          const { status, output } = checkImage(fs.disk);
          assert.equal(status, 0, output);
          const again = await startFileSystem(fs.disk, 2048);
          assert.equal(again.mount(1), 0);
          assert.deepEqual(differences(again, model.root), []);
        },
      ),
      { numRuns: 40, endOnFailure: true, interruptAfterTimeLimit: 40_000 },
    );
  });
}
