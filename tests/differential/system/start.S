/*
 * Entry, interrupt stubs and the way into a scenario and out of it.
 *
 * A scenario is a piece of code that runs at a privilege level with given registers and ends with an
 * interrupt or exception; whatever it is lands in `common`, which records the frame and goes back to C.
 * Loaded by Multiboot 1 (0.6.96) at 1 MiB, flat.
 */
        .set CODE0, 0x08
        .set DATA0, 0x10

        .text
        .align 4
        .long 0x1badb002, 0, -0x1badb002

        .globl _start
_start: movl $boot_stack_top, %esp
        call main
        movl $0x31, %eax
        outb %al, $0xf4                 /* QEMU's isa-debug-exit, and ours */
1:      cli
        hlt
        jmp 1b

        .globl load_tables
load_tables:
        lgdt gdt_pointer
        lidt idt_pointer
        ljmp $CODE0, $1f
1:      movw $DATA0, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        ret

/* Interrupt stubs: 16 bytes each, push a dummy code where the processor pushes none. */
        .globl stubs
        .align 16
stubs:
        .set vector, 0
        .rept 64
        .align 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        pushl $0x0badc0de
        .endif
        pushl $vector
        jmp common
        .set vector, vector + 1
        .endr

/* struct record (probe.h) is what is on the stack here, from the lowest address. */
        .globl common
common: pushal
        movl %ds, %eax
        pushl %eax
        movl %es, %eax
        pushl %eax
        movl %fs, %eax
        pushl %eax
        movl %gs, %eax
        pushl %eax
        movl %ss, %eax
        pushl %eax
        movl %cr2, %eax
        pushl %eax
        movw $DATA0, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        cld
        movl %esp, record
        movw %ax, %ss
        movl driver_esp, %esp
        pushl $2                        /* NT of a nested task would mislead the next IRET */
        popfl
        popl %ebp
        popl %edi
        popl %esi
        popl %ebx
        ret

/* void enter(const struct entry *): loads everything and goes. Comes back through `common`. */
        .globl enter
enter:  movl 4(%esp), %eax
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        movl %esp, driver_esp
        movl %eax, %ebp
        movl 0(%ebp), %eax              /* data selector */
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        testl $3, %eax
        jz 2f
        pushl %eax                      /* SS */
        pushl 8(%ebp)                   /* ESP */
        jmp 3f
2:      movl 8(%ebp), %esp
3:      pushl 12(%ebp)                  /* EFLAGS */
        pushl 4(%ebp)                   /* CS */
        pushl 16(%ebp)                  /* EIP */
        movl 20(%ebp), %ecx
        movl 24(%ebp), %edx
        movl 28(%ebp), %ebx
        movl 32(%ebp), %esi
        movl 36(%ebp), %edi
        movw %ax, %ds
        movl $0x11223344, %eax
        movl $0x55667788, %ebp
        iretl

        .bss
        .globl record, driver_esp
        .align 4
record: .long 0
driver_esp: .long 0
        .globl boot_stack_top, inner_stack_top, scenario_stack_top
        .align 4096
        .skip 8192
boot_stack_top:
        .skip 4096
inner_stack_top:
        .skip 4096
scenario_stack_top:
        .skip 4096
