/* The programs that need no machine of their own, as a program of the host: native DIVISOR. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

int main(int count, char **words) {
  const u32 divisor = count > 1 ? (u32)atoi(words[1]) : 1;
  const struct program *const tables[] = {compute_programs, x87_programs, sse_programs,
                                          calls_programs};
  for (u32 i = 0; i < LENGTH(tables); i++)
    for (const struct program *p = tables[i]; p->name; p++) {
      const u32 n = p->iterations / divisor;
      printf("%s %08x\n", p->name, p->run(n ? n : 1));
    }
  return 0;
}
