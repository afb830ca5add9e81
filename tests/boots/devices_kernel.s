# A Multiboot kernel that tries the board: serial line, CMOS clock, PCI, timer interrupts, IDE by PIO
# and by bus-master DMA with its interrupt. What it prints must be the same on every PC.
.intel_syntax noprefix
.set COM1, 0x3f8
.set VECTOR, 0x20

.text
.align 4
.long 0x1badb002, 0x3, -(0x1badb002 + 0x3)

.globl _start
_start:
  cli
  cld
  mov esp, offset stack_top
  mov [info], ebx
  cmp eax, 0x2badb002
  jne fail
  call serial_init
  mov esi, offset text_hello
  call print
  call command_line
  call tables
  call pic_init
  sti
  call timer_test
  call rtc_test
  call pci_test
  call ide_identify
  call ide_dma
  mov esi, offset text_done
  call print
wait_empty:
  mov dx, COM1 + 5
  in al, dx
  test al, 0x40
  jz wait_empty
  mov al, 0x10
  out 0xf4, al                 # QEMU's isa-debug-exit: status 0x21
fail:
  cli
  hlt
  jmp fail

.include "serial.s"

command_line:
  mov esi, offset text_command
  call print
  mov ebx, [info]
  mov esi, [ebx + 16]
  # Loaders differ in whether the kernel's own name stands first: print the last word.
  mov edi, esi
1: mov al, [esi]
  test al, al
  jz 2f
  inc esi
  cmp al, 32
  jne 1b
  mov edi, esi
  jmp 1b
2: mov esi, edi
  call print
  jmp newline

tables:
  lgdt gdt_pointer
  ljmp 0x08, offset 1f
1: mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov fs, ax
  mov gs, ax
  mov ecx, 256
  mov edi, offset idt
  mov eax, offset unexpected
1: mov [edi], ax
  mov word ptr [edi + 2], 0x08
  mov word ptr [edi + 4], 0x8e00
  mov edx, eax
  shr edx, 16
  mov [edi + 6], dx
  add edi, 8
  loop 1b
  mov eax, offset timer_interrupt
  mov edi, offset idt + 8 * VECTOR
  call gate
  mov eax, offset rtc_interrupt
  mov edi, offset idt + 8 * (VECTOR + 8)
  call gate
  mov eax, offset ide_interrupt
  mov edi, offset idt + 8 * (VECTOR + 14)
  call gate
  lidt idt_pointer
  ret

gate:
  mov [edi], ax
  shr eax, 16
  mov [edi + 6], ax
  ret

pic_init:
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, VECTOR
  out 0x21, al
  mov al, VECTOR + 8
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xfa                 # timer and cascade
  out 0x21, al
  mov al, 0xbe                 # clock and first IDE channel
  out 0xa1, al
  ret

unexpected:
  mov esi, offset text_unexpected
  call print
  jmp fail

timer_interrupt:
  inc dword ptr [ticks]
  push eax
  mov al, 0x20
  out 0x20, al
  pop eax
  iret

rtc_interrupt:
  push eax
  inc dword ptr [rtc_ticks]
  mov al, 0x0c
  out 0x70, al
  in al, 0x71
  or [rtc_flags], al
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  pop eax
  iret

ide_interrupt:
  push eax
  push edx
  inc dword ptr [ide_interrupts]
  mov dx, 0x1f7
  in al, dx
  mov [ide_status], al
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  pop edx
  pop eax
  iret

timer_test:                    # 10 ticks at 1000 Hz, then the rate of counter 2 against them
  mov al, 0x34
  out 0x43, al
  mov ax, 1193
  out 0x40, al
  mov al, ah
  out 0x40, al
1: hlt
  cmp dword ptr [ticks], 10
  jb 1b
  mov al, 0xb0                 # counter 2, mode 0
  out 0x43, al
  in al, 0x61
  and al, 0xfc
  or al, 1
  out 0x61, al
  mov al, 0xff
  out 0x42, al
  out 0x42, al
  mov eax, [ticks]
  add eax, 20
2: hlt
  cmp [ticks], eax
  jb 2b
  mov al, 0xe8                 # read back: status and count of counter 2
  out 0x43, al
  mov al, 0xc8
  out 0x43, al
  in al, 0x42
  and al, 0x3f
  movzx ebx, al
  in al, 0x42
  mov cl, al
  in al, 0x42
  mov ch, al
  movzx ecx, cx
  mov eax, 0xffff
  sub eax, ecx                 # 20 ms are 23864 ticks, less what the first tick had run already
  mov esi, offset text_late
  cmp eax, 21000
  jb 3f
  cmp eax, 26000
  ja 3f
  mov esi, offset text_timer
3: call print
  mov eax, ebx
  call hex32
  mov al, 0xfb                 # no more ticks
  out 0x21, al
  ret

rtc_test:                      # periodic interrupt at 1024 Hz
  mov al, 0x0a
  out 0x70, al
  mov al, 0x26
  out 0x71, al
  mov al, 0x0b
  out 0x70, al
  mov al, 0x42
  out 0x71, al
  mov al, 0x0c
  out 0x70, al
  in al, 0x71
1: hlt
  cmp dword ptr [rtc_ticks], 5
  jb 1b
  mov al, 0x0b
  out 0x70, al
  mov al, 0x02
  out 0x71, al
  mov esi, offset text_rtc
  call print
  movzx eax, byte ptr [rtc_flags]
  and eax, 0xc0
  jmp hex32

pci_read:                      # eax = address, gives eax
  mov dx, 0xcf8
  out dx, eax
  mov dx, 0xcfc
  in eax, dx
  ret

pci_test:
  mov esi, offset text_pci
  call print
  mov eax, 0x80000000          # host bridge
  call pci_read
  call hex32
  mov eax, 0x80000800          # ISA bridge
  call pci_read
  call hex32
  mov eax, 0x80000900          # IDE
  call pci_read
  call hex32
  mov eax, 0x80000908
  call pci_read
  call hex32
  mov eax, 0x80000904          # I/O and bus master on
  mov dx, 0xcf8
  out dx, eax
  mov dx, 0xcfc
  mov ax, 5
  out dx, ax
  mov eax, 0x80000920
  call pci_read
  and eax, 0xfffc
  mov [master], eax
  ret

ide_wait:                      # until the interrupt count reaches eax
1: cli
  cmp [ide_interrupts], eax
  jae 2f
  sti
  hlt
  jmp 1b
2: sti
  ret

ide_identify:
  mov dx, 0x1f6
  mov al, 0xa0
  out dx, al
  inc dx
  mov al, 0xec
  out dx, al
  mov eax, 1
  call ide_wait
  mov dx, 0x1f0
  mov edi, offset buffer
  mov ecx, 256
  rep insw
  mov esi, offset text_identify
  call print
  mov eax, dword ptr [buffer + 120]
  jmp hex32

ide_dma:                       # sectors 5 and 6, in two pieces
  mov dword ptr [table], offset buffer
  mov dword ptr [table + 4], 512
  mov dword ptr [table + 8], offset buffer + 0x800
  mov dword ptr [table + 12], 0x80000200
  mov dx, [master]
  mov al, 8
  out dx, al
  add dx, 2
  mov al, 0x66
  out dx, al
  add dx, 2
  mov eax, offset table
  out dx, eax
  mov dx, 0x1f6
  mov al, 0xe0
  out dx, al
  mov dx, 0x1f2
  mov al, 2
  out dx, al
  inc dx
  mov al, 5
  out dx, al
  inc dx
  xor eax, eax
  out dx, al
  inc dx
  out dx, al
  mov dx, 0x1f7
  mov al, 0xc8
  out dx, al
  mov dx, [master]
  mov al, 9
  out dx, al
  mov eax, 2
  call ide_wait
  mov esi, offset text_dma
  call print
  mov dx, [master]
  add dx, 2
  in al, dx
  and eax, 7
  call hex32
  movzx eax, byte ptr [ide_status]
  and eax, 0x89
  call hex32
  mov dx, [master]
  mov al, 0
  out dx, al
  mov esi, offset buffer
  call print
  mov esi, offset buffer + 0x800
  jmp print

.data
text_hello: .asciz "devices: serial\n"
text_command: .asciz "command line ends: "
text_unexpected: .asciz "unexpected interrupt\n"
text_timer: .asciz "timer: 20 ticks in 20 ms, status "
text_late: .asciz "timer: wrong rate, status "
text_rtc: .asciz "rtc: periodic, flags "
text_pci: .asciz "pci:\n"
text_identify: .asciz "identify: sectors "
text_dma: .asciz "dma: master and drive status\n"
text_done: .asciz "done\n"
.align 8
gdt:
  .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
  .word 23
  .long gdt
idt_pointer:
  .word 2047
  .long idt

.bss
.align 4096
buffer: .skip 4096
.align 16
table: .skip 16
idt: .skip 2048
info: .skip 4
ticks: .skip 4
rtc_ticks: .skip 4
ide_interrupts: .skip 4
master: .skip 4
rtc_flags: .skip 4
ide_status: .skip 4
stack: .skip 8192
stack_top:
