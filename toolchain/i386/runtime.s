# Routines that compiled code calls: 64-bit division, block moves.
#
# Convention: gcc -mregparm=3 (registers.ts). A 64-bit value is low word first: (eax, edx) as the first
# argument, on the stack as a second one; results in edx:eax. Every routine that does any work keeps an
# ebp frame, so that stack walks pass through it.

.intel_syntax noprefix
.text

# Unsigned division of edx:eax by ebx:ecx: quotient in edx:eax, remainder in edi:esi; changes ebx, ecx.
# Divides by zero trap in DIV. Method: normalise the divisor to 32 bits, estimate the quotient (at most one
# too large), correct (Hacker's Delight, 2nd ed., §9-5).
.balign 16
.type __divide64, @function
__divide64:
    push ebp
    mov ebp, esp
    sub esp, 16
    mov [ebp-4], eax
    mov [ebp-8], edx
    mov [ebp-12], ecx
    mov [ebp-16], ebx
    test ebx, ebx
    jne .Lwide
    # The divisor has one word: schoolbook, two divisions.
    mov esi, eax
    mov eax, edx
    xor edx, edx
    div ecx
    mov edi, eax
    mov eax, esi
    div ecx
    mov esi, edx
    mov edx, edi
    xor edi, edi
    leave
    ret
.Lwide:
    bsr ecx, ebx
    mov esi, [ebp-12]
    mov edi, ebx
    # Shift by one more than cl, in two steps, since a count of 32 does nothing.
    shrd esi, edi, 1
    shr edi, 1
    shrd esi, edi, cl
    shrd eax, edx, 1
    shr edx, 1
    shrd eax, edx, cl
    shr edx, cl
    div esi
    mov esi, eax
    # Compare quotient * divisor with the dividend; an overflow means it is larger.
    mul dword ptr [ebp-12]
    mov ecx, edx
    mov edi, eax
    mov eax, esi
    mul ebx
    test edx, edx
    jne .Ltoo_large
    add eax, ecx
    jb .Ltoo_large
    cmp eax, [ebp-8]
    ja .Ltoo_large
    jb .Lexact
    cmp edi, [ebp-4]
    jbe .Lexact
.Ltoo_large:
    dec esi
.Lexact:
    mov eax, esi
    mul dword ptr [ebp-12]
    mov ecx, edx
    mov edi, eax
    mov eax, esi
    imul eax, ebx
    add ecx, eax
    mov eax, esi
    mov esi, [ebp-4]
    sub esi, edi
    mov edi, [ebp-8]
    sbb edi, ecx
    xor edx, edx
    leave
    ret

.macro enter_division
    push ebp
    mov ebp, esp
    push ebx
    push esi
    push edi
    mov ecx, [ebp+8]
    mov ebx, [ebp+12]
.endm

.macro leave_division
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
.endm

.macro negate low, high
    neg \low
    adc \high, 0
    neg \high
.endm

.balign 16
.global __div64u
.type __div64u, @function
__div64u:
    enter_division
    call __divide64
    leave_division

.balign 16
.global __rem64u
.type __rem64u, @function
__rem64u:
    enter_division
    call __divide64
    mov eax, esi
    mov edx, edi
    leave_division

# Signed: divide the magnitudes; the sign of the quotient is the exclusive or of both signs, and only
# -2^63 / -1 leaves a positive quotient with its top bit set, which traps as Wasm demands.
.balign 16
.global __div64s
.type __div64s, @function
__div64s:
    enter_division
    mov esi, edx
    xor esi, ebx
    push esi
    test edx, edx
    jns 1f
    negate eax, edx
1:  test ebx, ebx
    jns 2f
    negate ecx, ebx
2:  call __divide64
    pop esi
    test esi, esi
    jns 3f
    negate eax, edx
    jmp 4f
3:  test edx, edx
    jns 4f
    ud2
4:  leave_division

# The remainder has the sign of the dividend.
.balign 16
.global __rem64s
.type __rem64s, @function
__rem64s:
    enter_division
    push edx
    test edx, edx
    jns 1f
    negate eax, edx
1:  test ebx, ebx
    jns 2f
    negate ecx, ebx
2:  call __divide64
    mov eax, esi
    mov edx, edi
    pop esi
    test esi, esi
    jns 3f
    negate eax, edx
3:  leave_division

# memory.copy: destination eax, source edx, count ecx; the blocks may overlap.
.balign 16
.global __memmove
.type __memmove, @function
__memmove:
    push ebp
    mov ebp, esp
    push esi
    push edi
    mov edi, eax
    mov esi, edx
    sub eax, edx
    cmp eax, ecx
    jb 1f
    mov edx, ecx
    shr ecx, 2
    rep movsd
    mov ecx, edx
    and ecx, 3
    rep movsb
    pop edi
    pop esi
    pop ebp
    ret
    # The destination starts inside the source: backwards, words first.
1:  lea esi, [esi+ecx-4]
    lea edi, [edi+ecx-4]
    mov edx, ecx
    shr ecx, 2
    std
    rep movsd
    add esi, 3
    add edi, 3
    mov ecx, edx
    and ecx, 3
    rep movsb
    cld
    pop edi
    pop esi
    pop ebp
    ret

# memory.fill: destination eax, value edx (low byte), count ecx.
.balign 16
.global __memset
.type __memset, @function
__memset:
    push ebp
    mov ebp, esp
    push edi
    mov edi, eax
    movzx eax, dl
    imul eax, eax, 0x01010101
    mov edx, ecx
    shr ecx, 2
    rep stosd
    mov ecx, edx
    and ecx, 3
    rep stosb
    pop edi
    pop ebp
    ret

# memory.grow: the address space is managed by the program's own runtime.
.balign 16
.global __memory_grow
.type __memory_grow, @function
__memory_grow:
    mov eax, -1
    ret

# Stands in for the module initialiser where a program has none.
.global __nothing
.type __nothing, @function
__nothing:
    ret
