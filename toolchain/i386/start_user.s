# Entry of user programs that bring none of their own: main(argc, argv, envp), then exit(result).
# The stack at entry: argc, argv[], NULL, envp[], NULL (System V ABI i386 §2.3.1).

.intel_syntax noprefix
.text
.global _start
.type _start, @function
_start:
    xor ebp, ebp
    mov esi, esp
    and esp, -16
    call __module_init
    mov eax, [esi]
    lea edx, [esi+4]
    lea ecx, [edx+eax*4+4]
    call main
    mov ebx, eax
    mov eax, 1
    int 0x80
    ud2
