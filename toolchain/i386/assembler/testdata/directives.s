.intel_syntax noprefix
.altmacro
.set HAS, 0x27d00
.macro stub n
.global isr_\n
isr_\n:
.if !((HAS >> \n) & 1)
     push 0
.endif
     push \n
     jmp common
.endm
.set i, 0
.rept 48
    stub %i
    .set i, i+1
.endr

common:
    pushad
    push ds
    push es
    rep movsw
    lock add word ptr fs:[eax], 1
    mov eax, [esp+0x30]
    loop 1f
    jecxz 1f
1: jmp 1b
    call 1f
1: nop
    .irp r, eax, ebx, ecx
    push \r
    .endr
    cmp eax, 'a'
    mov al, '\n'
    jmp [table+eax*4]
    mov eax, offset table+4
    mov ecx, table_end - table
    .balign 4
    .p2align 4
    .balign 32, 0x90
    ret
    .balign 32
    ret; ret
    .balign 16
    mov ss:[ebp+4], eax
    mov ds:[ebp+4], eax
    mov es:[edi], al
    movzx eax, byte ptr [esi+ebx]
    outsb
    rep outsd
    rep insw
    push dword ptr fs:[0]
    pop dword ptr fs:[0]
    call fs:[0x10]
    xor eax, eax
    .byte 0x90
    .fill 3, 1, 0x90
    mov dword ptr [eax+ebx*8-4], offset common
    and dword ptr [esp], ~0x200
    test dword ptr [esp+8], 1 << 9
    mov eax, (1<<5)|3
    sub esp, 4*3
    lea esp, [ebp-12]
    mov eax, HAS
    mov eax, [HAS]
    mov eax, dword ptr ds:[HAS]
    shl byte ptr [eax], 1
    imul ecx, [eax], 10
    mov cr4, ecx
    str ecx
    fnstsw ax
    jc common
    jnz common
    setz al
    cmovz eax, ecx
    retf 8
    int 3
    bt [eax], ecx
    xchg ax, bx
    xchg al, bl
    xchg cl, [eax]
    movsx eax, word ptr [ebx]
    mov word ptr [eax], ds
    mov ds, [eax]
    mov ax, word ptr [ebx]
    or ax, -1
    adc eax, 0x7fffffff
    sbb eax, -2147483648
    ret 0xfff
    enter 0x100, 1
.data
table: .long isr_0, common, table_end, . , .-table
table_end:
    .asciz "hi\n\t\"x\\\101"
    .ascii "ab", "c"
    .word 1, 0xffff
    .quad -1
    .zero 5
    .balign 8
    .string "end"
    .size table, .-table
    .type common, @function
.bss
stack: .skip 4096
