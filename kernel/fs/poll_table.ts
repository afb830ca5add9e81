/**
 * Waiting on the queues of many files at once, for poll and select.
 *
 * A file's `poll` operation calls `pollWait` for each queue that is woken when its state changes and
 * then says what is possible now; since the entry is queued before the state is looked at, no change
 * is lost. Only the first round of a poll has a table; later rounds pass null.
 *
 * @module
 */
import { ENOMEM } from "../abi/errno.ts";
import { kfree, kzalloc } from "../mm/mod.ts";
import { WaitEntry, WaitQueue, waitQueueAdd, waitQueueRemove } from "../sync/mod.ts";
import { PollEntry, PollTable } from "./types.ts";

/** Adds a queue to what a poll waits on; nothing when `table` is null. */
export function pollWait(table: PollTable | null, queue: WaitQueue): void {
  if (table === null || table.error < 0) return;
  const waiting = changetype<PollEntry | null>(kzalloc(offsetof<PollEntry>()));
  const entry = changetype<WaitEntry | null>(kzalloc(offsetof<WaitEntry>()));
  if (waiting === null || entry === null) {
    kfree(changetype<usize>(waiting));
    kfree(changetype<usize>(entry));
    table.error = -ENOMEM;
    return;
  }
  waiting.entry = entry;
  waiting.next = table.entries;
  table.entries = waiting;
  waitQueueAdd(queue, entry);
}

/** An empty table, null when memory is out. */
export function pollTableNew(): PollTable | null {
  return changetype<PollTable | null>(kzalloc(offsetof<PollTable>()));
}

/** Leaves all queues and frees the table. */
export function pollTableFree(table: PollTable): void {
  let waiting = table.entries;
  while (waiting !== null) {
    const next = waiting.next;
    waitQueueRemove(waiting.entry);
    kfree(changetype<usize>(waiting.entry));
    kfree(changetype<usize>(waiting));
    waiting = next;
  }
  kfree(changetype<usize>(table));
}
