/**
 * Profiles as pprof reads them (github.com/google/pprof, proto/profile.proto): gzipped, with samples and the virtual
 * time that they stand for.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { Function, Line, Location, Profile, Sample, StringTable, ValueType } from "pprof-format";
import type { StackCounts } from "./folded.ts";
import type { ProfileFacts } from "./formats.ts";

/** The gzipped message. Times are virtual: since power-on, none by the calendar. */
export function pprofProfile(
  stacks: StackCounts,
  { name, periodNs }: ProfileFacts,
): Uint8Array {
  const stringTable = new StringTable();
  const text = (value: string): number => stringTable.dedup(value);
  const type = (what: string, unit: string): ValueType =>
    new ValueType({ type: text(what), unit: text(unit) });
  const sampleType = [type("samples", "count"), type("cpu", "nanoseconds")];
  const ids = new Map<string, number>();
  const idOf = (frame: string): number => {
    const id = ids.get(frame) ?? ids.size + 1;
    ids.set(frame, id);
    return id;
  };
  // The leaf is the first of a sample's locations.
  const sample = stacks.entries().map(({ stack, count }) =>
    new Sample({
      locationId: stack.split(";").reverse().map(idOf),
      value: [count, count * periodNs],
    })
  );
  const named = [...ids].map(([frame, id]) => ({ id, name: text(frame) }));
  const profile = new Profile({
    sampleType,
    sample,
    function: named.map((one) =>
      new Function({ id: one.id, name: one.name, systemName: one.name })
    ),
    location: named.map(({ id }) => new Location({ id, line: [new Line({ functionId: id })] })),
    periodType: type("cpu", "nanoseconds"),
    period: periodNs,
    durationNanos: stacks.total * periodNs,
    comment: [text(name)],
    defaultSampleType: text("cpu"),
    stringTable,
  });
  // No time in the header (RFC 1952, MTIME): the same bytes each time.
  return new Uint8Array(gzipSync(profile.encode()));
}
