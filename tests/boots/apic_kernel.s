# Code for a Multiboot kernel (see assemble.ts) that tries local APIC, I/O APIC, HPET and ACPI. What it prints must be
# the same on every PC whose I/O APIC has IRQ 0 at pin 2. It turns the machine off by the ACPI tables.
.set COM1, 0x3f8
.set APIC, 0xfee00000
.set IOAPIC, 0xfec00000
.set HPET, 0xfed00000
.set SPURIOUS, 0xff

  cli
  cld
  call serial_init
  call make_idt
  # The 8259A: vectors 20h and 28h, all masked.
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x20
  out 0x21, al
  mov al, 0x28
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov dword ptr [APIC + 0xf0], 0x100 + SPURIOUS
  call virtual_wire
  call self_interrupts
  call task_priority
  call apic_timer
  call edge_pin
  call level_pin
  call hpet_legacy
  call acpi
1: cli
  hlt
  jmp 1b

# ---- tests ------------------------------------------------------------------------------------------------------

virtual_wire:                  # the 8254 by 8259A and LINT0
  mov esi, offset text_wire
  call print
  mov dword ptr [APIC + 0x350], 0x700
  mov al, 0x34
  out 0x43, al
  mov ax, 11932                # 10 ms
  out 0x40, al
  mov al, ah
  out 0x40, al
  mov byte ptr [pic_end], 1
  mov al, 0xfe
  out 0x21, al
  mov ecx, 3
  call wait_log
  mov al, 0xff
  out 0x21, al
  mov byte ptr [pic_end], 0
  mov dword ptr [APIC + 0x350], 0x10700
  jmp print_log

self_interrupts:               # all at once: by priority
  mov esi, offset text_self
  call print
  mov dword ptr [hook], offset log_ppr
  mov dword ptr [APIC + 0x300], 0x40041
  mov dword ptr [APIC + 0x300], 0x40062
  mov dword ptr [APIC + 0x300], 0x40045
  mov dword ptr [APIC + 0x310], 0
  mov dword ptr [APIC + 0x300], 0x4073
  mov eax, [APIC + 0x220]      # IRR of 40h-5Fh
  call hex32
  mov eax, [APIC + 0x230]      # of 60h-7Fh
  call hex32
  mov ecx, 8
  call wait_log
  mov dword ptr [hook], offset no_hook
  jmp print_log

log_ppr:
  mov eax, [APIC + 0xa0]
  jmp log

task_priority:                 # 40h stays out while TPR is 50h, 60h does not
  mov esi, offset text_priority
  call print
  mov dword ptr [APIC + 0x80], 0x50
  mov dword ptr [APIC + 0x300], 0x40042
  mov dword ptr [APIC + 0x300], 0x40063
  mov ecx, 1
  call wait_log
  sti
  nop
  nop
  cli
  mov al, 0xee
  call log
  mov dword ptr [APIC + 0x80], 0
  mov ecx, 3
  call wait_log
  jmp print_log

apic_timer:                    # once, then three periods; the count stands at the end of the first
  mov esi, offset text_timer
  call print
  mov dword ptr [APIC + 0x3e0], 0xb
  mov dword ptr [APIC + 0x320], 0x51
  mov dword ptr [APIC + 0x380], 1000000
  mov ecx, 1
  call wait_log
  mov eax, [APIC + 0x390]
  call hex32
  mov dword ptr [APIC + 0x320], 0x20052
  mov dword ptr [APIC + 0x380], 1000000
  mov ecx, 4
  call wait_log
  mov dword ptr [APIC + 0x320], 0x10000
  mov dword ptr [APIC + 0x380], 0
  jmp print_log

edge_pin:                      # the 8254 at pin 2
  mov esi, offset text_edge
  call print
  mov ebx, 2
  mov eax, 0x54
  call redirect
  mov ecx, 3
  call wait_log
  mov ebx, 2
  mov eax, 0x10000
  call redirect
  mov eax, ebx
  call entry
  call hex32
  jmp print_log

level_pin:                     # COM1's "transmitter empty" at pin 4, made level-triggered
  mov esi, offset text_level
  call print
  call serial_drain
  mov dword ptr [hook], offset level_hook
  mov ebx, 4
  mov eax, 0x8065
  call redirect
  mov dx, COM1 + 1
  mov al, 2
  out dx, al
  mov ecx, 6
  call wait_log
  mov dx, COM1 + 1
  mov al, 0
  out dx, al
  mov dword ptr [hook], offset no_hook
  mov ebx, 4
  mov eax, 0x10000
  call redirect
  jmp print_log

level_hook:                    # remote IRR, TMR; the third time the cause goes
  mov eax, 4
  call entry
  shr eax, 12
  call log
  cmp dword ptr [log_count], 6
  jb 1f
  mov dx, COM1 + 1
  mov al, 0
  out dx, al
1: ret

hpet_legacy:                   # timer 0 in the place of the 8254: five periods of 1 ms, then five single matches
  mov esi, offset text_hpet
  call print
  mov eax, 1000000000          # femtoseconds in 1 us
  xor edx, edx
  div dword ptr [HPET + 4]
  imul eax, eax, 1000          # ticks in 1 ms
  mov esi, eax
  mov dword ptr [HPET + 0x10], 0
  mov dword ptr [HPET + 0xf0], 0
  mov dword ptr [HPET + 0xf4], 0
  mov dword ptr [HPET + 0x100], 0x14c
  mov [HPET + 0x108], esi
  mov [HPET + 0x108], esi
  mov ebx, 2
  mov eax, 0x56
  call redirect
  mov dword ptr [HPET + 0x10], 3
  mov ecx, 5
  call wait_log
  mov dword ptr [HPET + 0x10], 2
  mov [period], esi
  mov dword ptr [hook], offset hpet_hook
  mov dword ptr [HPET + 0xf0], 0
  mov dword ptr [HPET + 0xf4], 0
  mov dword ptr [HPET + 0x100], 0x104
  mov [HPET + 0x108], esi
  mov dword ptr [HPET + 0x10], 3
  mov ecx, 10
  call wait_log
  # Five periods went by, to the nearest: QEMU's comparator may match a little early when it counts instructions.
  mov dword ptr [HPET + 0x10], 0
  mov dword ptr [hook], offset no_hook
  mov eax, [HPET + 0xf0]
  mov edx, esi
  shr edx, 1
  add eax, edx
  xor edx, edx
  div esi
  call hex32
  mov ebx, 2
  mov eax, 0x10000
  call redirect
  jmp print_log

hpet_hook:
  mov eax, [period]
  add [HPET + 0x108], eax
  ret

acpi:
  mov esi, offset text_acpi
  call print
  mov edi, 0xe0000
1: cmp dword ptr [edi], 0x20445352       # "RSD PTR "
  jne 2f
  cmp dword ptr [edi + 4], 0x20525450
  je 3f
2: add edi, 16
  cmp edi, 0x100000
  jb 1b
  ret
3: mov ecx, 20
  call sum
  mov edi, [edi + 16]
  call table
  mov ecx, [edi + 4]
  sub ecx, 36
  shr ecx, 2
  lea esi, [edi + 36]
4: push ecx
  push esi
  mov edi, [esi]
  cmp dword ptr [edi], 0x50434146        # "FACP"
  jne 5f
  mov [fadt], edi
  call table
5: cmp dword ptr [edi], 0x43495041       # "APIC"
  jne 6f
  call table
6: cmp dword ptr [edi], 0x54455048       # "HPET"
  jne 7f
  call table
  mov eax, [edi + 44]
  call hex32
7: pop esi
  add esi, 4
  pop ecx
  loop 4b
  mov ebx, [fadt]
  mov edi, [ebx + 40]
  call table
  # On by the command of the table: SCI_EN.
  mov dx, [ebx + 48]
  mov al, [ebx + 52]
  out dx, al
  mov dx, [ebx + 64]
  in ax, dx
  and eax, 1
  call hex32
  # The timer of 3.579545 MHz against 10 ms of the 8254, whose counter 2 is polled.
  mov dx, [ebx + 76]
  in eax, dx
  mov esi, eax
  call wait_10ms
  mov dx, [ebx + 76]
  in eax, dx
  sub eax, esi
  and eax, 0xffffff
  cmp eax, 35000
  jb 8f
  cmp eax, 37000
  ja 8f
  mov esi, offset text_right
  call print
8: call serial_drain
  # _S5 is a package of SLP_TYP 0 on both boards.
  mov dx, [ebx + 64]
  mov ax, 0x2000
  out dx, ax
  ret

wait_10ms:
  in al, 0x61
  and al, 0xfc
  or al, 1
  out 0x61, al
  mov al, 0xb0
  out 0x43, al
  mov ax, 11932
  out 0x42, al
  mov al, ah
  out 0x42, al
1: in al, 0x61
  test al, 0x20
  jz 1b
  ret

table:                         # edi: its name, and whether its sum is zero
  mov eax, [edi]
  mov ecx, 4
1: push eax
  call putc
  pop eax
  shr eax, 8
  loop 1b
  mov ecx, [edi + 4]
sum:                           # edi, ecx
  push esi
  xor eax, eax
  mov esi, edi
1: add al, [esi]
  inc esi
  loop 1b
  pop esi
  jmp hex32

# ---- interrupts -------------------------------------------------------------------------------------------------

.macro stub vector
stub_\vector:
  push \vector
  jmp common
.endm
.altmacro
.set n, 0x20
.rept 0x60
stub %n
.set n, n + 1
.endr

common:
  pushad
  mov eax, [esp + 32]
  call log
  call [hook]
  cmp byte ptr [pic_end], 0
  je 1f
  mov al, 0x20
  out 0x20, al
  jmp 2f
1: mov dword ptr [APIC + 0xb0], 0
2: popad
  add esp, 4
  iretd

spurious:
  iretd

no_hook:
  ret

make_idt:
  mov ecx, 256
  mov edi, offset idt
  mov edx, offset spurious
1: call gate
  loop 1b
  mov edi, offset idt + 8 * 0x20
  mov esi, offset stubs
  mov ecx, 0x60
2: lodsd
  mov edx, eax
  call gate
  loop 2b
  lidt [idt_pointer]
  ret

gate:                          # edx: handler
  mov [edi], dx
  mov word ptr [edi + 2], 0x08
  mov word ptr [edi + 4], 0x8e00
  mov eax, edx
  shr eax, 16
  mov [edi + 6], ax
  add edi, 8
  ret

log:                           # al
  push ebx
  mov ebx, [log_count]
  mov log_bytes[ebx], al
  inc dword ptr [log_count]
  pop ebx
  ret

wait_log:                      # until ecx bytes are in the log
1: cmp [log_count], ecx
  jae 2f
  sti
  nop
  cli
  jmp 1b
2: ret

print_log:
  xor edi, edi
1: cmp edi, [log_count]
  jae 2f
  mov al, log_bytes[edi]
  call hex8
  mov al, 32
  call putc
  inc edi
  jmp 1b
2: mov dword ptr [log_count], 0
  jmp newline

redirect:                      # pin ebx, low word eax
  lea edx, [ebx * 2 + 0x11]
  mov [IOAPIC], edx
  mov dword ptr [IOAPIC + 0x10], 0
  dec edx
  mov [IOAPIC], edx
  mov [IOAPIC + 0x10], eax
  ret

entry:                         # pin eax: its low word
  lea eax, [eax * 2 + 0x10]
  mov [IOAPIC], eax
  mov eax, [IOAPIC + 0x10]
  ret

# ---- printing ---------------------------------------------------------------------------------------------------

serial_drain:
  mov dx, COM1 + 5
1: in al, dx
  test al, 0x40
  jz 1b
  ret

.include "serial.s"

.data
.align 4
stubs:
.set n, 0x20
.macro address vector
  .long stub_\vector
.endm
.rept 0x60
address %n
.set n, n + 1
.endr
idt_pointer: .word 2047
  .long idt
hook: .long no_hook
log_count: .long 0
fadt: .long 0
period: .long 0
pic_end: .byte 0
log_bytes: .skip 256
text_wire: .asciz "virtual wire: "
text_self: .asciz "to itself: "
text_priority: .asciz "task priority: "
text_timer: .asciz "timer: "
text_edge: .asciz "edge: "
text_level: .asciz "level: "
text_hpet: .asciz "hpet: "
text_acpi: .asciz "acpi: "
text_right: .asciz "the ACPI timer is right\n"
.text
