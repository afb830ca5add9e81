/**
 * Where indirect jumps lead: a region that has such a jump asks here until it is known, and is then made again
 * with the targets inside, so that a `switch` or an interpreter's loop stays in one function.
 *
 * Observation changes nothing that the guest sees: a jump to another target leaves the region as before.
 * @module
 */

/** Jumps to look at before the targets are believed, the first time and after each time that others came. */
const SAMPLES: readonly number[] = [100, 2000, 50_000];
/** Most targets of one jump inside a region, and the least part of its samples that one must have. */
const MAX_TARGETS = 16;
const LEAST_PART = 1 / 64;

/** What is known of one jump. */
interface Jump {
  /** Times that its targets were settled. */
  rounds: number;
  samples: number;
  readonly counts: Map<number, number>;
  /** EIPs, most frequent first. */
  targets: readonly number[];
}

/** Indirect jumps by the physical address of their block and the EIP that it was decoded for. */
export class IndirectJumps {
  readonly #jumps = new Map<string, Jump>();
  /** Jumps by the record that a region's code passes. */
  readonly #byRecord = new Map<number, { readonly jump: Jump; readonly owner: () => void }>();

  /** The targets that are known, most frequent first. */
  targets(physical: number, eip: number): readonly number[] {
    return this.#jumps.get(key(physical, eip))?.targets ?? [];
  }

  /**
   * Whether a region that is being made shall report where the jump leads. If so, reports name `record`, and `settled` is
   * called once when there are enough.
   */
  observe(physical: number, eip: number, record: number, settled: () => void): boolean {
    const name = key(physical, eip);
    let jump = this.#jumps.get(name);
    if (jump === undefined) {
      jump = { rounds: 0, samples: 0, counts: new Map(), targets: [] };
      this.#jumps.set(name, jump);
    }
    if (jump.rounds >= SAMPLES.length) return false;
    this.#byRecord.set(record, { jump, owner: settled });
    return true;
  }

  /** The jump of a record led to an EIP that its region does not have. */
  report(record: number, eip: number): void {
    const found = this.#byRecord.get(record);
    if (found === undefined) return;
    const { jump, owner } = found;
    const { counts } = jump;
    counts.set(eip, (counts.get(eip) ?? 0) + 1);
    if (++jump.samples < (SAMPLES[jump.rounds] ?? Infinity)) return;
    this.#byRecord.delete(record);
    // Of those that have not come again since they were found there is no count: they keep their place.
    const least = jump.samples * LEAST_PART;
    const more = [...counts].filter(([, count]) => count >= least)
      .sort((a, b) => b[1] - a[1]).map(([target]) => target);
    jump.targets = [...new Set([...jump.targets, ...more])].slice(0, MAX_TARGETS);
    jump.rounds++;
    jump.samples = 0;
    counts.clear();
    owner();
  }

  /** All decoded code is gone, and the records with it. */
  flushed(): void {
    this.#jumps.clear();
    this.#byRecord.clear();
  }
  /** A region is gone: nothing reports by its records any more. */
  forget(record: number): void {
    this.#byRecord.delete(record);
  }
}

function key(physical: number, eip: number): string {
  return `${physical} ${eip}`;
}
