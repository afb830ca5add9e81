/**
 * Instructions whose memory accesses a plugin hears of: which records they are.
 *
 * Such an instruction is the interpreter's handler in a region too, with the tables that always miss in place, so
 * that the plugin hears of the same accesses in the same order. What touches no memory stays as it is.
 * @module
 */
import { type Handlers, SPECIAL } from "../execute/handlers.ts";
import * as L from "../state/layout.ts";

/** Operations that access memory by a memory operand alone. */
const BY_OPERAND: ReadonlySet<string> = new Set(
  ("add or adc sbb and sub xor cmp test inc dec neg not mul imul imul3 div idiv xadd cmpxchg cmpxchg8b " +
    "rol ror rcl rcr shl shr sar shld shrd bt bts btr btc bsf bsr bswap mov movzx movsx lea xchg " +
    "cbw cwd salc lahf sahf clc stc cmc cld std cli nop jmp jmpE loop loope loopne jcxz sti " +
    Array.from({ length: 16 }, (_, i) => `j.${i} cmov.${i} set.${i}`).join(" ")).split(" "),
);
/** In the record's byte of flags: there is a memory operand (execute/translate_block.ts). */
const HAS_MEMORY = 16;

/** Whether the record of an instruction is one that may access memory. */
function accessesMemory(view: DataView, handlers: Handlers, record: number): boolean {
  const form = handlers.form(view.getInt32(record, true));
  if (form === undefined || !BY_OPERAND.has(form.form.operation)) return true;
  return (view.getUint8(record + L.RECORD.SEGMENT) & HAS_MEMORY) !== 0;
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
