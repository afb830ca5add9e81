.intel_syntax noprefix
.text
.global foo
foo:
    jmp bar
    call bar
    jne foo
    mov eax, ebx
    mov eax, [ebx+4]
    mov eax, ds:[0x1234]
    mov eax, foo
    mov eax, offset foo
    mov eax, [foo+4]
    mov [foo], eax
    mov dword ptr [foo], 5
    mov eax, fs:[0]
    mov eax, gs:[eax*4+foo]
    jmp 0x08:foo
    push 5
    push 500
    push foo
    push ds
    pop ds
    push offset foo
    mov ds, ax
    mov ds, eax
    mov eax, ds
    mov ax, ds
    xchg eax, ebx
    xchg ebx, eax
    xchg [ebx], eax
    xchg ebx, ecx
    test eax, ebx
    test [eax], ebx
    imul eax, ebx, 5
    imul eax, 5
    imul eax, ebx, 500
    retf
    iretd
    iret
    pushad
    pusha
    popa
    pushfd
    popfd
    in al, dx
    in eax, dx
    in ax, 0x60
    out dx, al
    out 0x20, al
    lgdt [eax]
    lidt [foo]
    ltr ax
    ltr [eax]
    str ax
    sldt eax
    smsw ax
    invlpg [eax]
    mov cr0, eax
    mov eax, cr3
    mov dr7, eax
    rep movsd
    rep stosb
    repne scasb
    repe cmpsb
    lock cmpxchg [edx], ecx
    lock xadd [edx], ecx
    cmpxchg8b [edi]
    bt eax, 5
    bts dword ptr [eax], 5
    bts [eax], ecx
    shl eax, 1
    shl eax, cl
    shl eax
    sar dword ptr [eax], 3
    shld eax, edx, cl
    shrd eax, edx, 4
    movzx eax, byte ptr [ebx]
    movzx eax, word ptr [ebx]
    movzx eax, bl
    movsx ax, bl
    lea eax, [ebx+ecx*4+0x10]
    lea eax, [ebp]
    lea eax, [esp]
    lea eax, [esp+4]
    lea eax, [ebx*2]
    lea eax, [ebx*1]
    lea eax, [ebx*4+1]
    lea eax, [ebx+ebp]
    lea eax, [ebp+ebx]
    lea eax, [ebp+ebx*1]
    lea eax, [eax+eax]
    inc eax
    inc byte ptr [eax]
    dec cx
    add eax, 1
    add eax, 128
    add eax, -129
    add ebx, 128
    add al, 5
    add bl, 5
    add ax, 5
    add ax, 500
    add bx, 0xffff
    add eax, 0xffffffff
    and eax, 0xfffffff0
    add eax, foo
    cmp dword ptr [eax], offset foo
    mov al, 5
    mov ax, 5
    mov byte ptr [eax], 5
    mov word ptr [eax], 0x1234
    mov al, [foo]
    mov cl, [foo]
    mov [foo], al
    mov [foo], ax
    call [eax]
    call eax
    call dword ptr [foo+eax*4]
    jmp [foo]
    jmp eax
    ret
    ret 4
    int 0x80
    int3
    enter 8, 0
    leave
    cmovne eax, ebx
    cmove eax, [ebx]
    setne al
    setb byte ptr [eax]
    bswap eax
    nop
    neg eax
    not dword ptr [eax]
    mul ebx
    div dword ptr [ebx]
    imul ebx
    idiv cl
    cdq
    cwde
    cbw
    cwd
    xlatb
    fninit
    fnsave [eax]
    frstor [eax]
    fxsave [eax]
    fxrstor [eax]
    fnstcw [eax]
    fldcw [eax]
    fnstsw ax
    fwait
    emms
    sysenter
    sysexit
    ud2
    hlt
    push fs
    pop gs
    mov gs, eax
    lss esp, [eax]
    lds eax, [ebx]
    verr ax
    pause
    mfence
    test al, 5
    test eax, 5
    test bl, 5
    test dword ptr [eax], 5
    sahf
    lahf
    cmc
    stc
    std
    cld
    mov esp, [ebx+esp]
    jmp short foo
    call dword ptr [ebx+8]
    push dword ptr [ebx+8]
    pop dword ptr [ebx+8]
    push word ptr [ebx]
    jmp far ptr [eax]
    jmp fword ptr [eax]
    call 8:foo
.balign 16
bar: nop
    ljmp 8:foo

.data
.byte 1
