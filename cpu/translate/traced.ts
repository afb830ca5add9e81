/**
 * Instructions whose memory accesses a plugin hears of: which records they are.
 *
 * Such an instruction is the interpreter's handler in a region too, with the tables that always miss in place, so
 * that the plugin hears of the same accesses in the same order. What touches no memory stays as it is.
 * @module
 */
import { mayAccess } from "../execute/accesses.ts";
import { type Handlers, SPECIAL } from "../execute/handlers.ts";
import * as L from "../state/layout.ts";

/** In the record's byte of flags: there is a memory operand (execute/translate_block.ts). */
const HAS_MEMORY = 16;

/** Whether the record of an instruction is one that may access memory. */
function accessesMemory(view: DataView, handlers: Handlers, record: number): boolean {
  const form = handlers.form(view.getInt32(record, true));
  const hasOperand = (view.getUint8(record + L.RECORD.SEGMENT) & HAS_MEMORY) !== 0;
  return form === undefined || mayAccess(form.form.operation, hasOperand);
}

/** Whether a plugin hears of the accesses of the instruction at a record, which is not its block's header. */
export function isTraced(
  view: DataView,
  handlers: Handlers,
  record: number,
  first: number,
): boolean {
  return record > first &&
    view.getInt32(record - L.RECORD_BYTES, true) === SPECIAL.TRACE_ON &&
    accessesMemory(view, handlers, record);
}
