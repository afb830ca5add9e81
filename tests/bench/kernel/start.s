# Entry of the benchmark kernel (Multiboot 0.6.96), its descriptors, and the ways into and out of ring 0.
.intel_syntax noprefix
.set KERNEL_CODE, 0x08
.set KERNEL_DATA, 0x10
.set USER_CODE, 0x1b          # the order is SYSENTER's (SDM vol. 2, SYSEXIT)
.set USER_DATA, 0x23
.set TASK, 0x28
.set LEAVE_USER, 0xffff       # number of the system call that ends run_user

.text
.align 4
  .long 0x1badb002, 0, -0x1badb002

.globl _start
_start:
  cli
  cld
  mov esp, offset stack_top
  mov esi, ebx                # Multiboot information
  mov eax, offset tss
  mov [gdt + TASK + 2], ax
  shr eax, 16
  mov [gdt + TASK + 4], al
  mov [gdt + TASK + 7], ah
  lgdt gdt_pointer
  ljmp KERNEL_CODE, offset 1f
1:
  mov eax, KERNEL_DATA
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov fs, eax
  mov gs, eax
  mov ecx, 256                # every vector is unexpected until a program wants it
  mov edi, offset idt
  mov eax, offset unexpected
  mov edx, eax
  and eax, 0xffff
  or eax, KERNEL_CODE << 16
  mov dx, 0x8e00
2:
  mov [edi], eax
  mov [edi + 4], edx
  add edi, 8
  loop 2b
  lidt idt_pointer
  mov eax, TASK
  ltr ax
  mov eax, esi
  call bench_main
3:
  cli
  hlt
  jmp 3b

unexpected:
  mov eax, esp
  call unexpected_event

# Page fault: maps the page (system.c).
.globl page_fault_entry
page_fault_entry:
  pushad
  mov eax, cr2
  call page_fault
  popad
  add esp, 4
  iretd

# IRQ 4.
.globl interrupt_entry
interrupt_entry:
  push eax
  push ecx
  push edx
  call serial_interrupt
  pop edx
  pop ecx
  pop eax
  iretd

# int 0x80 as small as it can be: all registers, one call.
.globl trap_entry
trap_entry:
  pushad
  cmp eax, LEAVE_USER
  je leave_user
  mov edx, ebx
  call system_call
  mov [esp + 28], eax
  popad
  iretd

# int 0x80 as kernels have it: segment registers too.
.globl full_trap_entry
full_trap_entry:
  push ds
  push es
  push fs
  pushad
  mov ecx, KERNEL_DATA
  mov ds, ecx
  mov es, ecx
  mov fs, ecx
  cmp eax, LEAVE_USER
  je leave_user
  mov edx, ebx
  call system_call
  mov [esp + 28], eax
  popad
  pop fs
  pop es
  pop ds
  iretd

# SYSENTER: ECX and EDX are the program's stack and return address.
.globl sysenter_entry
sysenter_entry:
  push ecx
  push edx
  mov edx, ebx
  call system_call
  pop edx
  pop ecx
  sysexit

# u32 run_user(entry, count): runs code in ring 3 with ECX = count until it makes the call LEAVE_USER; its EBX.
.globl run_user
run_user:
  push ebp
  push ebx
  push esi
  push edi
  mov kernel_esp, esp
  mov tss + 4, esp
  mov ecx, edx
  push USER_DATA
  push offset user_stack_top
  push 2
  push USER_CODE
  push eax
  mov eax, USER_DATA
  mov ds, eax
  mov es, eax
  mov fs, eax
  xor ebx, ebx
  iretd
leave_user:
  mov ecx, KERNEL_DATA
  mov ds, ecx
  mov es, ecx
  mov fs, ecx
  mov eax, ebx
  mov esp, kernel_esp
  pop edi
  pop esi
  pop ebx
  pop ebp
  ret

# switch_stacks(save, next): what a scheduler does between two of its tasks.
.globl switch_stacks
switch_stacks:
  push ebp
  push ebx
  push esi
  push edi
  pushfd
  mov [eax], esp
  mov esp, edx
  popfd
  pop edi
  pop esi
  pop ebx
  pop ebp
  ret

# What ring 3 may see.
.section .user, "awx"
.align 4096
.globl user_begin, user_trap, user_sysenter
user_begin:
user_trap:
  lea eax, [ecx + 7]
  int 0x80
  add ebx, eax
  rol ebx, 3
  dec ecx
  jnz user_trap
  mov eax, LEAVE_USER
  int 0x80
user_sysenter:
  mov esi, ecx
4:
  lea eax, [esi + 7]
  mov ecx, esp
  mov edx, offset 5f
  sysenter
5:
  add ebx, eax
  rol ebx, 3
  dec esi
  jnz 4b
  mov eax, LEAVE_USER
  int 0x80
.align 4096
  .skip 4096
user_stack_top:
.globl user_end
user_end:

# Four functions in four pages (u32 f(u32)).
.text
.macro FUNCTION name, value
.align 4096
.globl \name
\name:
  xor eax, \value
  rol eax, 5
  add eax, \value
  ret
.endm
FUNCTION page_function_0, 0x1234567
FUNCTION page_function_1, 0x7654321
FUNCTION page_function_2, 0x89abcde
FUNCTION page_function_3, 0xedcba98

.data
.align 8
gdt:
  .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff
  .word 103, 0
  .byte 0, 0x89, 0, 0
gdt_pointer: .word gdt_pointer - gdt - 1
  .long gdt
idt_pointer: .word 2047
  .long idt
.align 4
tss:
  .long 0, 0, KERNEL_DATA
  .skip 88
  .word 0, 104                # no bitmap of ports

.bss
.align 4096
.globl idt
idt: .skip 2048
kernel_esp: .skip 4
.align 4096
.skip 16384
.globl stack_top
stack_top:

.section .note.GNU-stack, "", @progbits
