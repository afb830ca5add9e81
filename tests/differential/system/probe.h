/* What the scenario files share. The program runs on bare metal: no library. */
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

enum {
  CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TSS = 0x28, LDT = 0x30,
  CODE16 = 0x38, DATA16 = 0x40, TSS16 = 0x48, BIG_TSS = 0x50,
  LOW_LANDING = 0x7000,     /* physical; holds INT DONE */
  FREE = 0x80,              /* first selector for scenarios */
  DONE = 0x30,              /* vector with DPL 3 that ends a scenario */
  VECTOR = 0x38,            /* vector whose gate scenarios set */
};

struct record {
  u32 cr2, ss, gs, fs, es, ds;
  u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
  u32 vector, error, eip, cs, eflags, outer_esp, outer_ss;
};
struct entry {
  u32 data, code, esp, eflags, eip, ecx, edx, ebx, esi, edi;
};

extern struct record *record;
extern u32 gdt[256][2], idt[64][2], ldt[16][2];
extern u32 tss[26 + 64];
extern u16 tss16[22];
extern u32 page_directory[1024], page_table[1024];
extern u8 boot_stack_top[], inner_stack_top[], scenario_stack_top[];
extern u8 test_page[2][4096];
extern struct entry entry;

void enter(const struct entry *);
void load_tables(void);

/* main.c */
void reset(void);
void run(int cpl, void (*code)(void));
void print(const char *text);
void print_hex(u32 value);
void end_line(void);
void report(void);
void report_full(void);
void set_descriptor(u32 selector, u32 base, u32 limit, u32 access, u32 flags);
void set_gate(u32 *where, u32 selector, u32 offset, u32 access, u32 count);

void segment_scenarios(void);
void gate_scenarios(void);
void paging_scenarios(void);
void real_scenarios(void);
void flag_scenarios(void);
void instruction_scenarios(void);
void task_scenarios(void);
void virtual_scenarios(void);
void debug_scenarios(void);
/* tasks.c: exceptions become tasks, whose stacks are always good. */
void keep_tasks(void);

/* Declares a piece of code written in assembly. */
#define CODE(name, text) \
  void name(void); \
  __asm__(".text\n" #name ":\n" text "\n");
#define FINISH "int $0x30\n"
