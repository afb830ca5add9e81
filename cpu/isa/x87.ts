/**
 * The rows of the x87: opcodes D8–DF and 9B. Register forms that Intel does not document but all its
 * processors execute (FCOM2, FXCH4, FSTP8, FFREEP …) are here under the operation that they do.
 * Sources: SDM vol. 2 Tables.
 * @module
 */
import type { Row } from "./row.ts";

const ARITHMETIC = ["fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"] as const;

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}
function isComparison(operation: string): boolean {
  return operation.startsWith("fcom");
}

/** D8, DA, DC, DE: eight operations on memory and registers. */
function arithmeticRows(): Row[] {
  return ARITHMETIC.flatMap((operation, index): Row[] => {
    const at = 0xc0 + index * 8;
    const integer = operation.replace("f", "fi");
    const rows: Row[] = [
      [`D8 /${index} m`, `${operation}.memory`, "Md"],
      [`DA /${index} m`, integer, "Md"],
      [`DC /${index} m`, `${operation}.memory`, "Mq"],
      [`DE /${index} m`, integer, "Mw"],
    ];
    if (isComparison(operation)) {
      rows.push([`D8 ${hex(at)}+i`, operation, "STi"], [`DC ${hex(at)}+i`, operation, "STi"]);
      if (operation === "fcom") rows.push(["DE D0+i", "fcomp", "STi"]);
      return rows;
    }
    // DC and DE have subtraction and division in the opposite order of D8.
    const other = 0xc0 + (index < 4 ? index : index ^ 1) * 8;
    rows.push(
      [`D8 ${hex(at)}+i`, `${operation}.top`, "STi"],
      [`DC ${hex(other)}+i`, `${operation}.register`, "STi"],
      [`DE ${hex(other)}+i`, `${operation}.pop`, "STi"],
    );
    return rows;
  });
}

// deno-fmt-ignore
const OTHER: readonly Row[] = [
  ["9B", "fwait"],
  ["D9 /0 m", "fld.memory", "Md"], ["D9 /2 m", "fst.memory", "Md"], ["D9 /3 m", "fstp.memory", "Md"],
  ["D9 /4 m", "fldenv", "M"], ["D9 /5 m", "fldcw", "Mw"], ["D9 /6 m", "fnstenv", "M"], ["D9 /7 m", "fnstcw", "Mw"],
  ["D9 C0+i", "fld", "STi"], ["D9 C8+i", "fxch", "STi"], ["D9 D0", "fnop"], ["D9 D8+i", "fstpUnchecked", "STi"],
  ["D9 E0", "fchs"], ["D9 E1", "fabs"], ["D9 E4", "ftst"], ["D9 E5", "fxam"],
  ["D9 E8", "fld1"], ["D9 E9", "fldl2t"], ["D9 EA", "fldl2e"], ["D9 EB", "fldpi"], ["D9 EC", "fldlg2"], ["D9 ED", "fldln2"], ["D9 EE", "fldz"],
  ["D9 F0", "f2xm1"], ["D9 F1", "fyl2x"], ["D9 F2", "fptan"], ["D9 F3", "fpatan"], ["D9 F4", "fxtract"], ["D9 F5", "fprem1"],
  ["D9 F6", "fdecstp"], ["D9 F7", "fincstp"], ["D9 F8", "fprem"], ["D9 F9", "fyl2xp1"], ["D9 FA", "fsqrt"], ["D9 FB", "fsincos"],
  ["D9 FC", "frndint"], ["D9 FD", "fscale"], ["D9 FE", "fsin"], ["D9 FF", "fcos"],
  ["DA C0+i", "fcmov.2", "STi", "", "cmov"], ["DA C8+i", "fcmov.4", "STi", "", "cmov"], ["DA D0+i", "fcmov.6", "STi", "", "cmov"], ["DA D8+i", "fcmov.10", "STi", "", "cmov"],
  ["DA E9", "fucompp"],
  ["DB /0 m", "fild", "Md"], ["DB /2 m", "fist", "Md"], ["DB /3 m", "fistp", "Md"], ["DB /5 m", "fld.memory", "Mt"], ["DB /7 m", "fstp.memory", "Mt"],
  ["DB C0+i", "fcmov.3", "STi", "", "cmov"], ["DB C8+i", "fcmov.5", "STi", "", "cmov"], ["DB D0+i", "fcmov.7", "STi", "", "cmov"], ["DB D8+i", "fcmov.11", "STi", "", "cmov"],
  ["DB E0", "fnop287"], ["DB E1", "fnop287"], ["DB E2", "fnclex"], ["DB E3", "fninit"], ["DB E4", "fnop287"],
  ["DB E8+i", "fucomi", "STi", "", "cmov"], ["DB F0+i", "fcomi", "STi", "", "cmov"],
  ["DD /0 m", "fld.memory", "Mq"], ["DD /2 m", "fst.memory", "Mq"], ["DD /3 m", "fstp.memory", "Mq"],
  ["DD /4 m", "frstor", "M"], ["DD /6 m", "fnsave", "M"], ["DD /7 m", "fnstsw", "Mw"],
  ["DD C0+i", "ffree", "STi"], ["DD C8+i", "fxch", "STi"], ["DD D0+i", "fst", "STi"], ["DD D8+i", "fstp", "STi"],
  ["DD E0+i", "fucom", "STi"], ["DD E8+i", "fucomp", "STi"],
  ["DE D9", "fcompp"],
  ["DF /0 m", "fild", "Mw"], ["DF /2 m", "fist", "Mw"], ["DF /3 m", "fistp", "Mw"],
  ["DF /4 m", "fbld", "Mt"], ["DF /5 m", "fild", "Mq"], ["DF /6 m", "fbstp", "Mt"], ["DF /7 m", "fistp", "Mq"],
  ["DF C0+i", "ffreep", "STi"], ["DF C8+i", "fxch", "STi"], ["DF D0+i", "fstp", "STi"], ["DF D8+i", "fstp", "STi"],
  ["DF E0", "fnstswAx"], ["DF E8+i", "fucomip", "STi", "", "cmov"], ["DF F0+i", "fcomip", "STi", "", "cmov"],
];

export const X87: readonly Row[] = [...arithmeticRows(), ...OTHER];
