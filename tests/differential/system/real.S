/*
 * Real mode: down from protected mode, one routine, and back with a record of how it ended.
 *
 * The blob between `real_blob` and `real_blob_end` runs at 0:9000h. Every vector of the real-mode table leads to a stub
 * that records the frame and the registers at 6000h and returns to protected mode.
 * Sources: SDM vol. 3A §9.8–9.9 (mode switches), §20.1 (real-address mode).
 */
        .set BASE, 0x9000
        .set RECORD, 0x6000
        .set CODE0, 0x08
        .set DATA0, 0x10
        .set CODE16, 0x38
        .set DATA16, 0x40
        .set DONE, 0x30
#define LOW(label) (BASE + label - real_blob)

        .text
/* void run_real(u32 routine): `routine` is an offset in segment 0. */
        .globl run_real
run_real:
        movl 4(%esp), %eax
        pushal
        movl %esp, real_saved_esp
        movl %eax, BASE + real_routine - real_blob
        ljmp $CODE16, $LOW(down)
        .code32
up_again:
        movl real_saved_esp, %esp
        popal
        ret

        .code16
        .globl real_blob, real_blob_end
real_blob:
real_routine: .long 0
real_idt: .word 0x3ff
        .long 0
        .globl real_gdt, real_protected_idt
real_gdt: .word 0
        .long 0
real_protected_idt: .word 0
        .long 0
down:   movw $DATA16, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        lidtl LOW(real_idt)
        movl %cr0, %eax
        andl $0x7ffffffe, %eax
        movl %eax, %cr0
        ljmp $0, $LOW(1f)
1:      xorl %eax, %eax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl $0x11115f00, %esp
        movl $0x22222222, %ebp
        xorl %ebx, %ebx
        xorl %ecx, %ecx
        xorl %edx, %edx
        movl $0x33338000, %esi
        movl $0x44448100, %edi
        pushw $2
        popfw
        jmp *LOW(real_routine)

/* 256 stubs of 8 bytes. */
        .balign 8
        .globl real_stubs
real_stubs:
        .set vector, 0
        .rept 256
        .balign 8
        pushw $vector
        jmp real_common
        .set vector, vector + 1
        .endr

/* struct real_record (real.c), from its end. */
real_common:
        pushal
        pushw %ds
        pushw %es
        pushw %ss
        pushw %fs
        pushw %gs
        movl %esp, %eax
        movw %ss, %cx
        xorw %dx, %dx
        movw %dx, %ds
        movw %dx, %es
        cld
        movl %eax, RECORD
        movw $RECORD + 4, %di
        movw %ax, %si
        movw %cx, %ds
        movw $32, %cx
        rep movsw
        movw %dx, %ds
        movw %dx, %ss
        movl $0x5e00, %esp
        lgdtl LOW(real_gdt)
        lidtl LOW(real_protected_idt)
        movl %cr0, %eax
        orl $0x80000001, %eax
        movl %eax, %cr0
        ljmpl $CODE0, $LOW(2f)
        .code32
2:      movw $DATA0, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl $up_again, %eax
        jmp *%eax
        .code16

#define ROUTINE(name) .globl name; name:
ROUTINE(r_interrupt)
        stc
        sti
        int $0x61
ROUTINE(r_return)
        movw $LOW(r_iret), 0x62 * 4
        stc
        int $0x62
        int $DONE
r_iret: movw %sp, %bx
        movw 4(%bx), %dx
        iret
ROUTINE(r_divide)
        divw %cx
ROUTINE(r_undefined)
        ud2
ROUTINE(r_into)
        movb $0x7f, %al
        addb $1, %al
        into
ROUTINE(r_bound)
        movw $7, %ax
        boundw %ax, (0x5000)
        int $DONE
ROUTINE(r_call)
        pushw $0x1234
        lcall $0x900 - 0x80, $0x800 + r_called - real_blob
        int $DONE
r_called:
        movw %sp, %bx
        movl (%bx), %edx
        movw %cs, %ax
        lretw $2
ROUTINE(r_call_wide)
        movl $LOW(r_called_wide), 0x5000
        movw $0, 0x5004
        lcalll *0x5000
        int $DONE
r_called_wide:
        movw %sp, %bx
        movl (%bx), %edx
        movl 4(%bx), %ecx
        lretl
ROUTINE(r_jump)
        movw $LOW(1f), 0x5000
        movw $0, 0x5002
        ljmpw *0x5000
        int $0x61
1:      int $DONE
ROUTINE(r_flags)
        pushl $0x00247fd7 & ~0x100
        popfl
        pushfl
        popl %eax
        int $DONE
ROUTINE(r_iret_wide)
        pushl $0x00244cd7
        pushl $0
        pushl $LOW(1f)
        iretl
        int $0x61
1:      pushfl
        popl %eax
        int $DONE
ROUTINE(r_segment)
        movw $0x0fff, %ax
        movw %ax, %es
        movl $0xcafebabe, %es:0x0010
        movw $0x1000, %ax
        movw %ax, %ds
        movl (0), %edx
        int $DONE
ROUTINE(r_lds)
        movl $0x09990123, 0x5000
        lds 0x5000, %bx
        int $DONE
ROUTINE(r_machine)
        smsw %ax
        movw %ax, %bx
        orw $2, %ax
        lmsw %ax
        smsw %cx
        int $DONE
ROUTINE(r_sgdt)
        sgdtl 0x5000
        movl 0x5000, %eax
        int $DONE
ROUTINE(r_lldt)
        lldt %ax
ROUTINE(r_arpl)
        .byte 0x63, 0xc0
ROUTINE(r_verr)
        verr %ax
ROUTINE(r_enter)
        enter $4, $0
        pushaw
        movw %sp, %dx
        popaw
        leave
        int $DONE
ROUTINE(r_wrap_string)
        movw $0x1000, %ax
        movw %ax, %ds
        movb $0x5a, 0xffff
        movb $0xa5, 0
        movl $0x3333ffff, %esi
        movl $0xffff0002, %ecx
        rep lodsb
        int $DONE
ROUTINE(r_wrap_stack)
        movw $0x1000, %ax
        movw %ax, %ss
        xorw %sp, %sp
        pushl $0x12345678
        popl %edx
        int $DONE
ROUTINE(r_address32)
        movl $0x5000, %ebx
        movl $2, %ecx
        movl $0x76543210, (%ebx)
        movw (%ebx, %ecx), %dx
        int $DONE
ROUTINE(r_step)
        pushw $0x102
        popfw
        nop
        nop
        int $DONE
ROUTINE(r_ports)
        movb $0x12, %al
        outb %al, $0x80
        int $DONE
ROUTINE(r_control)
        movl %cr0, %eax
        int $DONE
ROUTINE(r_loop)
        movl $0x00010003, %ecx
1:      incw %dx
        loop 1b
        jcxz 2f
        int $0x61
2:      int $DONE
ROUTINE(r_stack_segment)
        movw $0x0500, %ax
        movw %ax, %ss
        movw $0x100, %sp
        pushl $0x9abcdef0
        popw %fs
        popw %gs
        int $DONE
ROUTINE(r_vector_limit)
        movw $0x1ff, (0x5000)
        movl $0, (0x5002)
        lidtl (0x5000)
        int $0x90
        int $DONE
ROUTINE(r_vector_cut)
        movw $0x61 * 4 + 2, (0x5000)
        movl $0, (0x5002)
        lidtl (0x5000)
        int $0x61
        int $DONE
ROUTINE(r_vectors_moved)
        movw $0x3ff, (0x5000)
        movl $0x5100, (0x5002)
        movl $LOW(1f), 0x5100 + 4 * 0x62
        lidtl (0x5000)
        int $0x62
1:      lidtl LOW(real_idt)
        int $DONE
/* Limits outlast protected mode: with DS and FS of 4 GiB, also after selectors are loaded again. */
ROUTINE(r_unreal)
        lgdtl LOW(real_gdt)
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        movw $DATA0, %bx
        movw %bx, %ds
        movw %bx, %fs
        andb $0xfe, %al
        movl %eax, %cr0
        movl $0x100000, %ebx
        movl (%ebx), %edx
        movw $0x500, %cx
        movw %cx, %ds
        movl $0xfb000, %ecx
        movl (%ecx), %ecx
        movl %fs:(%ebx), %ebp
        int $DONE
/* Protected mode with the CS of real mode, and real mode with a CS of protected mode. */
ROUTINE(r_stay)
        lgdtl LOW(real_gdt)
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        movw $DATA0, %bx
        verr %bx
        setz %dl
        call 1f
        movw %cs, %cx
        larw %bx, %si
        andb $0xfe, %al
        movl %eax, %cr0
        int $DONE
1:      movb $1, %dh
        ret
ROUTINE(r_keep_cs)
        lgdtl LOW(real_gdt)
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        ljmp $CODE16, $LOW(1f)
1:      andb $0xfe, %al
        movl %eax, %cr0
        movw %cs, %cx
        movw $0x1234, %dx
        call 1f
1:      popw %di
        int $DONE
/* LMSW sets PE and cannot clear it. */
ROUTINE(r_lmsw)
        lgdtl LOW(real_gdt)
        movw $1, %ax
        lmsw %ax
        movw $0, %ax
        lmsw %ax
        smsw %cx
        movl %cr0, %eax
        andb $0xfe, %al
        movl %eax, %cr0
        int $DONE
ROUTINE(r_sysenter)
        sysenter
ROUTINE(r_mov_cs)
        .byte 0x8e, 0xc8
ROUTINE(r_too_long)
        .fill 15, 1, 0x2e
        nop
real_blob_end:
        .code32

        .bss
real_saved_esp: .skip 4
