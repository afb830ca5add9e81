# A master boot record that asks the BIOS about the machine. All that it says goes to the screen and to port E9h; it
# ends with isa-debug-exit.
.code16
.intel_syntax noprefix
.globl _start
_start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [drive], dl
  mov si, offset text_hello
  call print
  # The next sector, by the extended read.
  mov ah, 0x42
  mov dl, [drive]
  mov si, offset packet
  int 0x13
  jc failed
  mov si, 0x8000
  call print
  # The same by cylinder, head and sector.
  mov ax, 0x0201
  mov bx, 0x8200
  mov cx, 0x0002
  mov dh, 0
  mov dl, [drive]
  int 0x13
  jc failed
  mov si, 0x8200
  call print
  mov ah, 8
  mov dl, [drive]
  int 0x13
  push dx
  mov ax, cx
  call hex16
  pop ax
  call hex16
  int 0x12
  call hex16
  # The first three ranges of the memory map: start, length, type.
  xor ebx, ebx
  mov word ptr [count], 3
1: mov eax, 0xe820
  mov edx, 0x534d4150
  mov ecx, 20
  mov di, 0x8400
  int 0x15
  jc failed
  push ebx
  mov eax, [0x8400]
  call hex32
  mov eax, [0x8408]
  call hex32
  mov ax, [0x8410]
  call hex16
  pop ebx
  dec word ptr [count]
  jnz 1b
  mov si, offset text_done
  call print
  mov al, 0x10
  out 0xf4, al
failed:
  mov si, offset text_failed
  call print
2: hlt
  jmp 2b

hex32:
  push ax
  shr eax, 16
  call digits4
  pop ax
hex16:
  call digits4
  mov al, 32
  jmp putc
digits4:
  mov cx, 4
1: rol ax, 4
  push ax
  and al, 15
  cmp al, 10
  sbb al, 0x69
  das
  call putc
  pop ax
  loop 1b
  ret

print:
  lodsb
  test al, al
  jz 1f
  call putc
  jmp print
1: ret

putc:
  push ax
  push bx
  out 0xe9, al
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  pop bx
  pop ax
  ret

packet: .byte 16, 0
  .word 1, 0x8000, 0
  .long 1, 0
drive: .byte 0
count: .word 0
text_hello: .asciz "boot sector\r\n"
text_done: .asciz "\r\ndone\r\n"
text_failed: .asciz "failed\r\n"
.org 510
.word 0xaa55
