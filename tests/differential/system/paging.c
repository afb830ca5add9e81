/*
 * Page rights: every combination in directory and table, for reads, writes, fetches and read-modify-write.
 * Sources: SDM vol. 3A §4.3, §4.6–4.8, §6.15 (#PF).
 */
#include "probe.h"

#define REGION 0x40000000u

CODE(page_read, "movl (%edi), %eax\n" FINISH)
CODE(page_write, "movl %ecx, (%edi)\n" FINISH)
CODE(page_modify, "addl %ecx, (%edi)\n" FINISH)
CODE(page_fetch, "jmp *%edi\n")
CODE(page_read_across, "movl 0xffe(%edi), %eax\n" FINISH)
CODE(page_write_across, "movl %ecx, 0xffe(%edi)\n" FINISH)
CODE(page_push, "movl %esp, %eax\n leal 4(%edi), %esp\n pushl %ecx\n movl %eax, %esp\n" FINISH)
CODE(page_string, "movl %edi, %eax\n movl $8, %ecx\n leal 0xff0(%edi), %edi\n rep stosl\n" FINISH)

static const struct { const char *name; void (*code)(void); } OPERATIONS[] = {
  {"read", page_read}, {"write", page_write}, {"modify", page_modify}, {"fetch", page_fetch},
};
static const struct { const char *name; void (*code)(void); } ACROSS[] = {
  {"read", page_read_across}, {"write", page_write_across},
  {"push", page_push}, {"string", page_string},
};

static void prepare(int protect) {
  u32 cr0;
  for (u32 page = 0; page < 2; page++) {
    u32 *words = (u32 *)test_page[page];
    for (u32 i = 0; i < 1024; i++) words[i] = 0x04030201 * (page + 1) + i;
    test_page[page][0] = 0xcd;
    test_page[page][1] = DONE;
  }
  entry.edi = REGION;
  entry.ecx = 0x01010101;
  __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
  cr0 = protect ? cr0 | 0x10000 : cr0 & ~0x10000u;
  __asm__ volatile("movl %0, %%cr0" :: "r"(cr0));
}

static void attempt(const char *name, int cpl, int protect, void (*code)(void)) {
  u32 directory = page_directory[REGION >> 22];
  print("page ");
  print(name);
  print(cpl ? " 3 " : " 0 ");
  print(protect ? "wp " : "-- ");
  print_hex(directory & 0xfff);
  print(" ");
  print_hex(page_table[0] & 0xfff);
  print(" ");
  print_hex(page_table[1] & 0xfff);
  prepare(protect);
  __asm__ volatile("movl %%cr3, %%eax\n movl %%eax, %%cr3" ::: "eax", "memory");
  run(cpl, code);
  print(" pd=");
  print_hex(page_directory[REGION >> 22] & 0xfff);
  print(" pt=");
  print_hex(page_table[0] & 0xfff);
  print(",");
  print_hex(page_table[1] & 0xfff);
  print(" m=");
  print_hex(((u32 *)test_page[0])[0]);
  print(",");
  print_hex(((u32 *)test_page[0])[1023]);
  print(",");
  print_hex(((u32 *)test_page[1])[0]);
  print(" a=");
  print_hex(record->eax);
  print(" c=");
  print_hex(record->ecx);
  reset();
  report();
}

static u32 rights(u32 bits) { return (bits & 7) | (bits & 8 ? 0x60 : 0); }

void paging_scenarios(void) {
  u32 table = (u32)page_table, first = (u32)test_page[0], second = (u32)test_page[1];
  for (u32 directory = 0; directory < 8; directory++) {
    for (u32 leaf = 0; leaf < 16; leaf++) {
      for (u32 op = 0; op < 4; op++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          for (int protect = 0; protect < 2; protect++) {
            page_directory[REGION >> 22] = table | directory;
            page_table[0] = first | rights(leaf);
            page_table[1] = 0;
            attempt(OPERATIONS[op].name, cpl, protect, OPERATIONS[op].code);
          }
        }
      }
    }
  }
  /* 4 MiB pages: of the first 4 MiB, whose start is not in use by us but holds LOW_LANDING. */
  for (u32 leaf = 0; leaf < 16; leaf++) {
    for (u32 op = 0; op < 4; op++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        for (int protect = 0; protect < 2; protect++) {
          for (u32 reserved = 0; reserved < 2; reserved++) {
            page_directory[REGION >> 22] = rights(leaf) | 0x80 | reserved << 21;
            page_table[0] = page_table[1] = 0;
            static u32 saved;
            u32 *low = (u32 *)LOW_LANDING;
            __asm__("" : "+r"(low));
            saved = *low;
            prepare(protect);
            entry.edi = REGION + LOW_LANDING;
            print("large ");
            print(OPERATIONS[op].name);
            print(cpl ? " 3 " : " 0 ");
            print(protect ? "wp " : "-- ");
            print_hex(page_directory[REGION >> 22]);
            __asm__ volatile("movl %%cr3, %%eax\n movl %%eax, %%cr3" ::: "eax", "memory");
            run(cpl, OPERATIONS[op].code);
            print(" pd=");
            print_hex(page_directory[REGION >> 22]);
            print(" m=");
            print_hex(*low == saved);
            *low = saved;
            reset();
            report();
          }
        }
      }
    }
  }
  /* Accesses across two pages, either of which may fault. */
  for (u32 lower = 0; lower < 8; lower++) {
    for (u32 upper = 0; upper < 8; upper++) {
      for (u32 op = 0; op < sizeof ACROSS / sizeof *ACROSS; op++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          /* At CPL 0 the exception would come in on the bad stack: a triple fault. */
          if (ACROSS[op].code == page_push && cpl == 0) continue;
          page_directory[REGION >> 22] = table | 0x27;
          page_table[0] = first | lower;
          page_table[1] = second | upper;
          attempt(ACROSS[op].name, cpl, 1, ACROSS[op].code);
        }
      }
    }
  }
  page_directory[REGION >> 22] = 0;
}
