# The entry of a user program (System V ABI i386, Process Initialization): argc, argv and envp stand on
# the stack; main(argc, argv, envp) gets them in registers and its result is the exit status.
    .intel_syntax noprefix
    .text
    .globl _start
_start:
    xor ebp, ebp
    mov eax, [esp]
    lea edx, [esp+4]
    lea ecx, [edx+eax*4+4]
    and esp, -16
    push eax
    push edx
    push ecx
    call __module_init
    pop ecx
    pop edx
    pop eax
    call main
    mov ebx, eax
    mov eax, 252
    int 0x80
    ud2

# A signal handler returns here; sigreturn(2) restores the interrupted context (Linux, SA_RESTORER).
    .globl signal_return
signal_return:
    pop eax
    mov eax, 119
    int 0x80
    ud2

# A handler that only notes the signal: Linux passes its number in EAX as well as on the stack.
    .globl note_signal
note_signal:
    mov byte ptr [signals_noted+eax], 1
    ret

    .bss
    .globl signals_noted
signals_noted:
    .skip 68
