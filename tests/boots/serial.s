# Polled output on COM1 for test kernels: 115200 baud, 8N1. COM1 is defined by who includes it.

serial_init:
  mov dx, COM1 + 3
  mov al, 0x83
  out dx, al
  mov dx, COM1
  mov al, 1
  out dx, al
  inc dx
  mov al, 0
  out dx, al
  mov dx, COM1 + 3
  mov al, 3
  out dx, al
  dec dx
  mov al, 0xc7
  out dx, al
  mov dx, COM1 + 4
  mov al, 0x0b
  out dx, al
  ret

putc:                          # al
  push edx
  push eax
  mov dx, COM1 + 5
1: in al, dx
  test al, 0x20
  jz 1b
  pop eax
  mov dx, COM1
  out dx, al
  pop edx
  ret

print:                         # esi
1: lodsb
  test al, al
  jz 2f
  call putc
  jmp 1b
2: ret

hex32:                         # eax
  push ecx
  mov ecx, 8
1: rol eax, 4
  push eax
  call nibble
  pop eax
  loop 1b
  pop ecx
newline:
  mov al, 10
  jmp putc

hex8:                          # al
  push eax
  shr al, 4
  call nibble
  pop eax
nibble:
  and eax, 15
  mov al, digits[eax]
  jmp putc

.data
digits: .ascii "0123456789abcdef"
.text
