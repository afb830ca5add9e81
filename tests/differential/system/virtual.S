/*
 * Virtual-8086 mode: the way into it, and 16-bit routines that run there.
 *
 * The blob is copied to 9000h and runs as 0900:0000; SS is 0580h, DS 0500h. A routine ends with INT 30h, or with what
 * that raises. Sources: SDM vol. 3A §20.2.
 */
        .set DONE, 0x30
#define AT(label) (label - virtual_blob)

        .text
/* void enter_virtual(const struct virtual_entry *): IRETD to it. Comes back through `common`. */
        .globl enter_virtual
enter_virtual:
        movl 4(%esp), %eax
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        movl %esp, driver_esp
        movl $9, %ecx
1:      pushl -4(%eax, %ecx, 4)
        loop 1b
        movl 36(%eax), %ebx
        movl 40(%eax), %edx
        movl $0x10203040, %eax
        movl $0x50607080, %esi
        movl $0x90a0b0c0, %edi
        movl $0xd0e0f000, %ebp
        iretl
        .globl virtual_iret, virtual_task_back
virtual_iret:
        iretl
virtual_task_back:
        incl %eax
        iretl
        jmp virtual_task_back

        .code16
        .globl virtual_blob, virtual_blob_end
virtual_blob:
#define ROUTINE(name) .globl name; name:
#define END int $DONE
ROUTINE(v_done)
        END
ROUTINE(v_cli)
        cli
        END
ROUTINE(v_sti)
        sti
        nop
        END
ROUTINE(v_pushf)
        pushfw
        popw %ax
        END
ROUTINE(v_pushfl)
        pushfl
        popl %eax
        END
ROUTINE(v_popf)
        pushw %bx
        popfw
        pushfw
        popw %ax
        END
ROUTINE(v_popfl)
        pushl %ebx
        popfl
        pushfl
        popl %eax
        END
ROUTINE(v_iret)
        pushw %bx
        pushw $0x8ff
        pushw $AT(1f) + 0x10
        iretw
        nop
1:      movw %cs, %cx
        END
ROUTINE(v_iretl)
        pushl %ebx
        pushl $0xffff08ff
        pushl $AT(1f) + 0x10
        iretl
        nop
1:      movw %cs, %cx
        END
ROUTINE(v_int)
        int $0x38
        END
ROUTINE(v_int3)
        int3
        END
ROUTINE(v_into)
        movb $0x7f, %al
        addb $1, %al
        into
        END
ROUTINE(v_hlt)
        hlt
        END
ROUTINE(v_out)
        outb %al, $0x80
        END
ROUTINE(v_outw)
        outw %ax, $0x80
        END
ROUTINE(v_outl)
        movw $0x81, %dx
        outl %eax, %dx
        END
ROUTINE(v_outsb)
        movw $0x80, %dx
        xorw %si, %si
        movw $2, %cx
        rep outsb
        END
ROUTINE(v_in)
        inb $0x84, %al
        END
ROUTINE(v_lgdt)
        lgdtl 0
        END
ROUTINE(v_lidt)
        lidtl 0
        END
ROUTINE(v_sgdt)
        sgdtl 0
        movl (0), %eax
        END
ROUTINE(v_smsw)
        smsww %ax
        END
ROUTINE(v_lmsw)
        lmsw %ax
        END
ROUTINE(v_mov_cr)
        movl %cr0, %eax
        END
ROUTINE(v_mov_dr)
        movl %db7, %eax
        END
ROUTINE(v_clts)
        clts
        END
ROUTINE(v_invlpg)
        invlpg 0
        END
ROUTINE(v_wbinvd)
        wbinvd
        END
ROUTINE(v_rdmsr)
        rdmsr
        END
ROUTINE(v_sldt)
        sldt %ax
        END
ROUTINE(v_str)
        str %ax
        END
ROUTINE(v_lldt)
        lldt %ax
        END
ROUTINE(v_ltr)
        ltr %ax
        END
ROUTINE(v_verr)
        verr %ax
        END
ROUTINE(v_verw)
        verw %ax
        END
ROUTINE(v_lar)
        lar %ax, %bx
        END
ROUTINE(v_lsl)
        lsl %ax, %bx
        END
ROUTINE(v_arpl)
        .byte 0x63, 0xc0
        END
ROUTINE(v_sysenter)
        sysenter
ROUTINE(v_sysexit)
        sysexit
ROUTINE(v_jmp)
        ljmp $0x8f0, $AT(1f) + 0x100
        nop
1:      movw %cs, %cx
        END
ROUTINE(v_jmpl)
        movl $AT(1f) + 0x100, (0)
        movw $0x8f0, (4)
        ljmpl *(0)
        nop
1:      movw %cs, %cx
        END
ROUTINE(v_call)
        pushw $0x1234
        lcall $0x8f0, $AT(1f) + 0x100
        movw %cs, %dx
        END
1:      movw %sp, %bx
        movl %ss:(%bx), %ecx
        lretw $2
ROUTINE(v_calll)
        lcalll $0x8f0, $AT(1f) + 0x100
        movw %cs, %dx
        END
1:      movw %sp, %bx
        movl %ss:(%bx), %ecx
        movl %ss:4(%bx), %edx
        lretl
ROUTINE(v_call_near)
        call 1f
        END
1:      popw %cx
        pushl $AT(v_done)
        retl
ROUTINE(v_segments)
        movw $0x0a00, %ax
        movw %ax, %es
        movl $0xcafebabe, %es:0x10
        pushw $0x0a01
        popw %fs
        movl %fs:0, %ecx
        movl $0x04320003, (8)
        lgs 8, %dx
        movw $0xffff, %ax
        movw %ax, %es
        END
ROUTINE(v_stack)
        movw $0x0a00, %ax
        movw %ax, %ss
        movl $0x12340002, %esp
        pushw $0x5a5a
        pushl $0x11223344
        popw %cx
        popw %dx
        END
ROUTINE(v_address32)
        movl $0x20, %ebx
        movl $0x76543210, (%ebx)
        movl $2, %ecx
        movw (%ebx, %ecx), %dx
        END
ROUTINE(v_divide)
        xorw %cx, %cx
        divw %cx
        END
ROUTINE(v_undefined)
        ud2
ROUTINE(v_bound)
        movw $7, %ax
        boundw %ax, (0x100)
        END
ROUTINE(v_lock)
        .byte 0xf0, 0x90
        END
ROUTINE(v_mov_cs)
        .byte 0x8e, 0xc8
        END
ROUTINE(v_too_long)
        .fill 15, 1, 0x2e
        nop
ROUTINE(v_step)
        pushw $0x3102
        popfw
        nop
        nop
        END
ROUTINE(v_step_ss)
        movw %ss, %ax
        pushw $0x3102
        popfw
        movw %ax, %ss
        nop
        END
ROUTINE(v_string)
        movw $0x0a00, %ax
        movw %ax, %es
        movl $0x1234fffe, %esi
        movl $0x43210000, %edi
        movl $0xffff0004, %ecx
        rep movsb
        END
ROUTINE(v_enter)
        enter $4, $0
        pushaw
        movw %sp, %dx
        popaw
        leave
        END
ROUTINE(v_loop)
        movl $0x00010003, %ecx
1:      incw %dx
        loop 1b
        jcxz 2f
        nop
2:      END
ROUTINE(v_page_read)
        movw $0xa000, %ax
        movw %ax, %ds
        movb (0x123), %al
        END
ROUTINE(v_page_write)
        movw $0xa000, %ax
        movw %ax, %ds
        movb %al, (0x123)
        END
ROUTINE(v_page_push)
        movw $0xa000, %ax
        movw %ax, %ss
        movw $2, %sp
        pushw %ax
        END
ROUTINE(v_page_jump)
        ljmp $0xa000, $0
ROUTINE(v_handler)
        int $0x39
        incw %cx
        END
virtual_blob_end:
        .code32
