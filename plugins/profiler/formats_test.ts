/** Each format, read back by the rules of its reader: the same stacks with the same weights. @module */
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { Profile } from "pprof-format";
import { parseFolded, StackCounts } from "./folded.ts";
import { type ProfileFacts, profileFormat, readStacks } from "./formats.ts";

const FACTS: ProfileFacts = { name: "Boot of disk.img", periodNs: 1_003_009 };
const STACKS = "bash;main;read 3\ninit 1\ninterrupt_handler;timer 2\nsh;main;main 4\n";

function encode(path: string, stacks: StackCounts): string | Uint8Array {
  const { encode } = profileFormat(path);
  const file = encode(stacks, FACTS);
  assert.deepEqual(encode(stacks, FACTS), file, "the same bytes again");
  return file;
}
/** Stacks of any names. */
const anyStacks = fc.array(
  fc.tuple(
    fc.array(fc.oneof(fc.string(), fc.constantFrom("main", "read", "a b")), { minLength: 1 }),
    fc.integer({ min: 1, max: 20 }),
  ),
  { maxLength: 12 },
).map((list) => {
  const stacks = new StackCounts();
  for (const [frames, count] of list) stacks.add(frames, count);
  return stacks;
});

Deno.test("profileFormat() goes by the whole end of the name", () => {
  const kinds = [
    ...["a.svg", "a.speedscope.json", "a.pb.gz", "a.perf", "a.folded", "a.json", "-"],
  ].map((path) => profileFormat(path).description);
  assert.deepEqual(kinds, [
    ...["flame graph", "speedscope", "pprof", "the text of perf script"],
    ...["folded stacks", "folded stacks", "folded stacks"],
  ]);
});

/** Samples and virtual time of each stack, by what pprof makes of the file. */
function readPprof(file: Uint8Array): Map<string, readonly number[]> {
  const profile = Profile.decode(gunzipSync(file));
  const { strings } = profile.stringTable;
  const names = new Map(
    profile.function.map(({ id, name }) => [Number(id), strings[Number(name)]]),
  );
  const functions = new Map(
    profile.location.map(({ id, line }) => [Number(id), Number(line[0]?.functionId)]),
  );
  assert.equal(strings[0], "");
  assert.deepEqual(
    profile.sampleType.map(({ type, unit }) => [strings[Number(type)], strings[Number(unit)]]),
    [["samples", "count"], ["cpu", "nanoseconds"]],
  );
  return new Map(profile.sample.map(({ locationId, value }) => {
    const frames = locationId.map((id) => names.get(functions.get(Number(id)) ?? -1));
    return [frames.toReversed().join(";"), value.map(Number)];
  }));
}

Deno.test("pprof's samples are the stacks, the leaf first, with counts and nanoseconds", () => {
  fc.assert(fc.property(anyStacks, (stacks) => {
    const read = readPprof(encode("boot.pb.gz", stacks) as Uint8Array);
    const wanted = stacks.entries().map(({ stack, count }) =>
      [stack, [count, count * FACTS.periodNs]] as const
    );
    assert.deepEqual([...read], wanted);
  }));
  const profile = Profile.decode(gunzipSync(encode("a.pprof", parseFolded(STACKS)) as Uint8Array));
  assert.equal(Number(profile.period), FACTS.periodNs);
  assert.equal(Number(profile.durationNanos), 10 * FACTS.periodNs);
});

Deno.test("speedscope's samples are the stacks, the root first, and end with the last weight", () => {
  fc.assert(fc.property(anyStacks, (stacks) => {
    const file = JSON.parse(encode("boot.speedscope.json", stacks) as string);
    const [profile] = file.profiles;
    const names: string[] = file.shared.frames.map(({ name }: { name: string }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      profile.samples.map((sample: number[]) => sample.map((frame) => names[frame]).join(";")),
      stacks.entries().map(({ stack }) => stack),
    );
    assert.equal(
      profile.weights.reduce((sum: number, weight: number) => sum + weight, 0),
      profile.endValue - profile.startValue,
    );
  }));
});

/** What stackcollapse-perf.pl makes of the text: `command;root;…;leaf`, an event each. */
function collapsePerf(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of text.split("\n\n").filter((part) => part !== "")) {
    const [head = "", ...lines] = event.split("\n");
    const [, command] = /^(\S.+?)\s+\d+\/\d+\s+\[\d+\]\s+\d+\.\d{6}:\s+\d+\s+\S+:\s*$/.exec(head) ??
      [];
    assert.ok(command !== undefined, head);
    const frames = lines.map((line) => {
      const [, name] = /^\s+[0-9a-f]+ (.+) \(guest\)$/.exec(line) ?? [];
      assert.ok(name !== undefined, line);
      return name;
    });
    const stack = [command, ...frames.toReversed()].join(";");
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  return counts;
}

Deno.test("perf script's events are the samples, the first frame as the command", () => {
  const text = encode("boot.perf", parseFolded(STACKS)) as string;
  assert.deepEqual([...collapsePerf(text)], [
    ...[["bash;main;read", 3], ["init;init", 1], ["interrupt_handler;timer", 2]],
    ["sh;main;main", 4],
  ]);
  const times = [...text.matchAll(/ (\d+\.\d{6}): 1003009 cpu-clock:/g)].map(([, time]) =>
    Number(time)
  );
  assert.equal(times.length, 10);
  assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)));
});

Deno.test("folded stacks go out and come in as they are", () => {
  assert.equal(encode("boot.folded", parseFolded(STACKS)), STACKS);
  assert.equal(readStacks(STACKS, "boot.folded").toFolded(), STACKS);
  assert.throws(() => readStacks("<svg>", "boot.svg"), /^SyntaxError: "boot.svg" has no folded/);
});
