# Boot, entry stubs, context switch and user copies.
#
# Sources: Multiboot 1 (0.6.96) §3.1, Multiboot 2 (2.0) §3.1; SDM vol. 3A §6.12 (interrupt stack),
# §5.8.7 (SYSENTER); Linux arch/x86/entry/vdso/vdso32/system_call.S for the convention of SYSENTER.

        .intel_syntax noprefix

KERNEL_BASE     = 0xc0000000
KERNEL_CS       = 0x60
KERNEL_DS       = 0x68
USER_CS         = 0x73
USER_DS         = 0x7b
STACK_BYTES     = 16384
VSYSCALL_BASE   = 0xbffff000
VSYSCALL_LANDING = VSYSCALL_BASE + 0x1c  # boot checks it

# ---------------------------------------------------------------------------------------------------
        .section .boot, "ax"

        .balign 8
multiboot1:
        .long 0x1badb002
        .long 3                         # page-aligned modules, memory map
        .long -(0x1badb002 + 3)

        .balign 8
multiboot2:
        .long 0xe85250d6
        .long 0                         # i386
        .long multiboot2_end - multiboot2
        .long -(0xe85250d6 + (multiboot2_end - multiboot2))
        .short 0, 0
        .long 8
multiboot2_end:

# Protected mode, paging off; eax is the loader's magic number, ebx its information. Maps 896 MiB of
# physical memory at KERNEL_BASE and the first 4 MiB at 0 as well, with 4 MiB pages.
        .globl _start
        .type _start, @function
_start:
        cli
        cld
        mov     esp, offset boot_stack_top - KERNEL_BASE
        mov     esi, eax
        mov     edi, ebx
        # CPUID is there if EFLAGS.ID changes (SDM vol. 1 §3.4.3.3).
        pushfd
        pop     ecx
        mov     eax, ecx
        xor     eax, 0x200000
        push    eax
        popfd
        pushfd
        pop     eax
        xor     eax, ecx
        test    eax, 0x200000
        jz      too_old
        mov     eax, 1
        cpuid
        and     edx, 0x8008             # PSE: the tables below; CMOV: compiled code
        cmp     edx, 0x8008
        jne     too_old
        mov     ebx, edi
        mov     edi, offset boot_page_directory - KERNEL_BASE
        xor     eax, eax
        mov     ecx, 1024
        rep stosd
        mov     edi, offset boot_page_directory - KERNEL_BASE
        mov     dword ptr [edi], 0x83
        lea     edx, [edi + 0xc00]
        mov     eax, 0x83               # present, writable, 4 MiB
        mov     ecx, 224
1:      mov     [edx], eax
        add     edx, 4
        add     eax, 0x400000
        dec     ecx
        jnz     1b
        mov     eax, cr4
        or      eax, 0x10               # PSE
        mov     cr4, eax
        mov     cr3, edi
        mov     eax, cr0
        and     eax, 0x9fffffff         # CD and NW off
        or      eax, 0x80010000         # PG, WP
        mov     cr0, eax
        mov     eax, offset start_high
        jmp     eax

# Says on COM1 and on the screen what is missing, and stops.
too_old:
        mov     esi, offset too_old_text
        mov     edi, 0xb8000
1:      mov     dx, 0x3fd               # until the transmitter takes a character
        in      al, dx
        test    al, 0x20
        jz      1b
        lodsb
        test    al, al
        jz      2f
        mov     dx, 0x3f8
        out     dx, al
        mov     ah, 7
        stosw
        jmp     1b
2:      cli
        hlt
        jmp     2b
too_old_text:
        .asciz "This kernel needs a Pentium Pro or a later processor: 4 MiB pages and CMOV.\r\n"

# ---------------------------------------------------------------------------------------------------
        .text

        .balign 16
        .type start_high, @function
start_high:
        mov     esp, offset boot_stack_top
        xor     ebp, ebp
        push    0                       # the end of every chain: no return address, no frame
        push    ebp
        mov     ebp, esp
        push    ebx
        push    esi
        call    __module_init
        pop     eax
        pop     edx
        call    kernel_main
1:      cli
        hlt
        jmp     1b

# void load_segments(u32 code, u32 data)
        .balign 16
        .globl load_segments
        .type load_segments, @function
load_segments:
        push    ebp
        mov     ebp, esp
        mov     ds, edx
        mov     es, edx
        mov     ss, edx
        xor     ecx, ecx
        mov     fs, ecx
        mov     gs, ecx
        push    eax
        push    offset 1f
        retf
1:      pop     ebp
        ret

# void switch_context(usize save, usize next): pushes the saved registers, changes stacks, pops.
        .balign 16
        .globl switch_context
        .type switch_context, @function
switch_context:
        push    ebp
        mov     ebp, esp
        push    ebx
        push    esi
        push    edi
        mov     [eax], esp
        mov     esp, edx
        pop     edi
        pop     esi
        pop     ebx
        pop     ebp
        ret

# First code of a new user task; its stack holds a trap frame.
        .balign 16
        .globl task_return
        .type task_return, @function
task_return:
        mov     eax, esp
        push    0
        push    0
        mov     ebp, esp
        call    user_return
        add     esp, 8
        jmp     restore_registers

# First code of a kernel thread: ebx its function, esi its argument.
        .balign 16
        .globl kernel_thread_entry
        .type kernel_thread_entry, @function
kernel_thread_entry:
        push    0
        push    0
        mov     ebp, esp
        sti
        mov     eax, ebx
        mov     edx, esi
        call    kernel_thread_start
        ud2

# void resume_frame(usize frame)
        .balign 16
        .globl resume_frame
        .type resume_frame, @function
resume_frame:
        cli
        mov     esp, eax
        jmp     restore_registers

# --- Interrupts and exceptions ------------------------------------------------------------------------

        .macro  stub vector, error
        .balign 8
vector_\vector:
        .if \error == 0
        push    0
        .endif
        push    \vector
        .if \vector == 14
        jmp     page_fault_entry
        .elseif \vector == 128
        jmp     syscall_entry
        .elseif \vector < 32
        jmp     exception_entry
        .else
        jmp     interrupt_entry
        .endif
        .endm

        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        stub    \n, 0
        .endr
        stub    8, 1
        stub    9, 0
        .irp    n, 10, 11, 12, 13, 14
        stub    \n, 1
        .endr
        stub    15, 0
        stub    16, 0
        stub    17, 1
        .irp    n, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        stub    \n, 0
        .endr
        .irp    n, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
        stub    \n, 0
        .endr
        stub    128, 0

# Pushes what is left of a trap frame and a stack frame for unwinders: the interrupted EIP as return
# address, the interrupted EBP as link.
        .macro  save_registers
        push    gs
        push    fs
        push    es
        push    ds
        push    eax
        push    ebp
        push    edi
        push    esi
        push    edx
        push    ecx
        push    ebx
        mov     ecx, KERNEL_DS
        mov     ds, ecx
        mov     es, ecx
        cld
        mov     eax, esp
        push    dword ptr [esp + 52]
        push    ebp
        mov     ebp, esp
        .endm

        .balign 16
        .type interrupt_entry, @function
interrupt_entry:
        save_registers
        call    interrupt_handler
        add     esp, 8
        jmp     restore_registers

        .balign 16
        .type exception_entry, @function
exception_entry:
        save_registers
        call    exception_handler
        add     esp, 8
        jmp     restore_registers

        .balign 16
        .type page_fault_entry, @function
page_fault_entry:
        save_registers
        call    page_fault_handler
        add     esp, 8
        jmp     restore_registers

# int 0x80: the number is in eax, arguments in ebx, ecx, edx, esi, edi, ebp.
        .balign 16
        .type syscall_entry, @function
syscall_entry:
        mov     [esp + 4], eax          # in the place of the error code
        save_registers
        call    syscall_handler
        add     esp, 8
        jmp     restore_registers

# SYSENTER with the convention of Linux: as int 0x80, but ebp is the user's stack pointer, at which
# stand ebp, edx and ecx; the kernel goes on at the landing of the vsyscall page, which pops them.
        .balign 16
        .globl sysenter_entry
        .type sysenter_entry, @function
sysenter_entry:
        mov     esp, ss:[esp]           # SYSENTER_ESP points at the word with the kernel stack
        push    USER_DS
        push    ebp
        pushfd
        or      dword ptr [esp], 0x200
        push    USER_CS
        push    VSYSCALL_LANDING
        push    eax
        push    0x80
        save_registers
        sti
        call    sysenter_handler
        add     esp, 8
        cmp     dword ptr [esp + 52], VSYSCALL_LANDING
        jne     restore_registers       # a signal or exec goes elsewhere
        cmp     dword ptr [esp + 56], USER_CS
        jne     restore_registers
        test    dword ptr [esp + 60], 0x100
        jnz     restore_registers       # single step: IRET loads TF
        pop     ebx
        pop     ecx
        pop     edx
        pop     esi
        pop     edi
        pop     ebp
        pop     eax
sysexit_ds:
        pop     ds
sysexit_es:
        pop     es
sysexit_fs:
        pop     fs
sysexit_gs:
        pop     gs
        add     esp, 8
        mov     edx, [esp]              # EIP
        mov     ecx, [esp + 12]         # ESP
        add     esp, 8
        and     dword ptr [esp], 0xfffffdff
        popfd
        sti                             # in effect behind SYSEXIT
        sysexit

# Leaves the kernel; esp points at a trap frame. A bad selector is replaced by 0 (see exceptions).
        .balign 16
        .globl restore_registers
        .type restore_registers, @function
restore_registers:
        pop     ebx
        pop     ecx
        pop     edx
        pop     esi
        pop     edi
        pop     ebp
        pop     eax
restore_ds:
        pop     ds
restore_es:
        pop     es
restore_fs:
        pop     fs
restore_gs:
        pop     gs
        add     esp, 8
restore_iret:
        iretd

# --- Double fault: a task of its own ------------------------------------------------------------------

        .balign 16
        .globl double_fault_entry
        .type double_fault_entry, @function
double_fault_entry:
        push    0
        push    0
        mov     ebp, esp
        call    double_fault_handler
        ud2

# --- User memory ------------------------------------------------------------------------------------------

# u32 copy_user(usize destination, usize source, u32 count)
        .balign 16
        .globl copy_user
        .type copy_user, @function
copy_user:
        push    ebp
        mov     ebp, esp
        push    esi
        push    edi
        mov     edi, eax
        mov     esi, edx
        mov     edx, ecx
        and     edx, 3
        shr     ecx, 2
copy_words:
        rep movsd
        mov     ecx, edx
copy_bytes:
        rep movsb
        mov     eax, ecx
        pop     edi
        pop     esi
        pop     ebp
        ret
copy_words_fault:
        lea     eax, [edx + ecx*4]
        pop     edi
        pop     esi
        pop     ebp
        ret
copy_bytes_fault:
        mov     eax, ecx
        pop     edi
        pop     esi
        pop     ebp
        ret

# u32 clear_user(usize destination, u32 count)
        .balign 16
        .globl clear_user
        .type clear_user, @function
clear_user:
        push    ebp
        mov     ebp, esp
        push    edi
        mov     edi, eax
        mov     ecx, edx
        xor     eax, eax
        and     edx, 3
        shr     ecx, 2
clear_words:
        rep stosd
        mov     ecx, edx
clear_bytes:
        rep stosb
        mov     eax, ecx
        pop     edi
        pop     ebp
        ret
clear_words_fault:
        lea     eax, [edx + ecx*4]
        pop     edi
        pop     ebp
        ret
clear_bytes_fault:
        mov     eax, ecx
        pop     edi
        pop     ebp
        ret

# i32 copy_user_string(usize destination, usize source, u32 count)
        .balign 16
        .globl copy_user_string
        .type copy_user_string, @function
copy_user_string:
        push    ebp
        mov     ebp, esp
        push    esi
        push    edi
        push    ebx
        mov     edi, eax
        mov     esi, edx
        xor     eax, eax
1:      cmp     eax, ecx
        je      2f
string_load:
        mov     bl, [esi + eax]
        mov     [edi + eax], bl
        test    bl, bl
        jz      2f
        inc     eax
        jmp     1b
2:      pop     ebx
        pop     edi
        pop     esi
        pop     ebp
        ret
string_fault:
        mov     eax, -14
        jmp     2b

# i32 put_user(usize address, u32 value)
        .balign 16
        .globl put_user
        .type put_user, @function
put_user:
        push    ebp
        mov     ebp, esp
put_store:
        mov     [eax], edx
        xor     eax, eax
        pop     ebp
        ret
put_fault:
        mov     eax, -14
        pop     ebp
        ret

# u64 get_user(usize address)
        .balign 16
        .globl get_user
        .type get_user, @function
get_user:
        push    ebp
        mov     ebp, esp
        xor     edx, edx
get_load:
        mov     eax, [eax]
        pop     ebp
        ret
get_fault:
        xor     eax, eax
        mov     edx, -14
        pop     ebp
        ret

# i32 cmpxchg_user(usize address, u32 expected, u32 value)
        .balign 16
        .globl cmpxchg_user
        .type cmpxchg_user, @function
cmpxchg_user:
        push    ebp
        mov     ebp, esp
        xchg    eax, edx
cmpxchg_access:
        lock cmpxchg [edx], ecx
        setne   al
        movzx   eax, al
        pop     ebp
        ret
cmpxchg_fault:
        mov     eax, -14
        pop     ebp
        ret

# ---------------------------------------------------------------------------------------------------
# The vsyscall page: code that every process sees at VSYSCALL_BASE.

        .balign 4096
        .globl vsyscall_start
vsyscall_start:

# System call with arguments as for int 0x80 (AT_SYSINFO where the processor has no SYSENTER).
        .globl vsyscall_int80
vsyscall_int80:
        int     0x80
        ret

        .balign 16
        .globl vsyscall_sysenter
vsyscall_sysenter:
        push    ecx
        push    edx
        push    ebp
        mov     ebp, esp
        sysenter
        nop
        nop
        nop
        int     0x80                    # a restarted call comes here
        .globl vsyscall_landing
vsyscall_landing:
        pop     ebp
        pop     edx
        pop     ecx
        ret

        .balign 16
        .globl vsyscall_sigreturn
vsyscall_sigreturn:
        pop     eax
        mov     eax, 119
        int     0x80
        nop

        .balign 16
        .globl vsyscall_rt_sigreturn
vsyscall_rt_sigreturn:
        mov     eax, 173
        int     0x80
        nop
        .globl vsyscall_end
vsyscall_end:

# ---------------------------------------------------------------------------------------------------
        .section .rodata
        .balign 4

        .globl exception_table
exception_table:
        .long copy_words, copy_words_fault
        .long copy_bytes, copy_bytes_fault
        .long clear_words, clear_words_fault
        .long clear_bytes, clear_bytes_fault
        .long string_load, string_fault
        .long put_store, put_fault
        .long get_load, get_fault
        .long cmpxchg_access, cmpxchg_fault
        .long 0, 0

# Where a bad selector is popped on the way out.
        .globl selector_table
selector_table:
        .long restore_ds, restore_es, restore_fs, restore_gs
        .long sysexit_ds, sysexit_es, sysexit_fs, sysexit_gs
        .long 0

        .globl vector_table
vector_table:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
        .long   vector_\n
        .endr
        .irp    n, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44
        .long   vector_\n
        .endr
        .irp    n, 45, 46, 47, 128
        .long   vector_\n
        .endr

        .data
        .balign 4
        .globl kernel_introspection
        .type kernel_introspection, @object
kernel_introspection:
        .fill   8, 4, 0
        .size kernel_introspection, 32

        .section .bss
        .balign 4096
        .globl boot_page_directory
boot_page_directory:
        .space  4096
        .globl boot_stack
boot_stack:
        .space  STACK_BYTES
        .globl boot_stack_top
boot_stack_top:
