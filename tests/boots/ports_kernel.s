# A Multiboot kernel that carries out a list of port accesses and prints what it reads. The list is at
# the symbol `script`, three words an access (kind, port, value), which another file defines.
# Kinds: 0 end, 1 inb, 2 inw, 3 inl, 4 outb, 5 outw, 6 outl, 7 inb until (value & mask) is the value.
.intel_syntax noprefix
.text
.align 4
.long 0x1badb002, 0, -0x1badb002

.globl _start
_start:
  cli
  cld
  mov esp, offset stack_top
  mov ebp, offset script
next:
  mov ebx, [ebp]
  mov edx, [ebp + 4]
  mov eax, [ebp + 8]
  add ebp, 12
  jmp [kinds + 4 * ebx]

kind_inb:
  xor eax, eax
  in al, dx
  jmp show
kind_inw:
  xor eax, eax
  in ax, dx
  jmp show
kind_inl:
  in eax, dx
show:
  call hex32
  jmp next
kind_outb:
  out dx, al
  jmp next
kind_outw:
  out dx, ax
  jmp next
kind_outl:
  out dx, eax
  jmp next
kind_until:                    # ah = mask, al = value; gives up after a while
  mov ebx, eax
  mov ecx, 2000000
1: in al, dx
  and al, bh
  cmp al, bl
  je next
  loop 1b
  mov eax, 0xdeadbeef
  jmp show
kind_end:
  mov al, 0
  out 0xf4, al
  hlt

hex32:                         # to the debug port: it has no state that a script could disturb
  mov ecx, 8
1: rol eax, 4
  push eax
  and eax, 15
  movzx eax, byte ptr digits[eax]
  out 0xe9, al
  pop eax
  loop 1b
  mov al, 10
  out 0xe9, al
  ret

.data
digits: .ascii "0123456789abcdef"
.align 4
kinds: .long kind_end, kind_inb, kind_inw, kind_inl, kind_outb, kind_outw, kind_outl, kind_until

.bss
.skip 4096
stack_top:
