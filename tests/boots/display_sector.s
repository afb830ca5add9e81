# A boot sector that sets the display mode at the word `mode`, draws a square of colours and two lines of text through
# int 10h, writes "done" to port E9h, asks for the emulator's end, and waits.
	.code16
	.globl _start
_start:	jmp	begin
mode:	.word	3
begin:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
	mov	mode, %bx
	cmp	$0x100, %bx
	jae	vbe
	mov	%bx, %ax
	int	$0x10
	jmp	set
vbe:	mov	$0x4f02, %ax
	int	$0x10
set:	mov	$0x0100, %ax		# the cursor off: QEMU's blinks by the host's time
	mov	$0x2000, %cx
	int	$0x10
	cmpw	$3, mode
	je	text
	mov	$40, %dx		# row
rows:	mov	$100, %cx		# column
cells:	mov	%cx, %ax
	imul	%dx, %ax
	shr	$2, %ax
	xor	%cl, %al
	mov	$0x0c, %ah
	mov	$0, %bh
	push	%cx
	push	%dx
	int	$0x10
	pop	%dx
	pop	%cx
	inc	%cx
	cmp	$132, %cx
	jb	cells
	inc	%dx
	cmp	$72, %dx
	jb	rows
	jmp	say
text:	mov	$0xb800, %ax		# all characters in all colours
	mov	%ax, %es
	mov	$320, %di
	xor	%bx, %bx
fill:	mov	%bl, %al
	mov	%bl, %cl		# QEMU repeats the eighth dot of B0h to BFh too; IBM's card from C0h on
	and	$0xf0, %cl
	cmp	$0xb0, %cl
	jne	2f
	mov	$0x41, %al
2:
	mov	%bl, %ah
	cmp	$256, %bx
	jb	1f
	not	%ah
1:	and	$0x7f, %ah		# QEMU blinks
	stosw
	inc	%bx
	cmp	$512, %bx
	jb	fill
say:	mov	$line, %si
next:	lodsb
	test	%al, %al
	jz	done
	mov	$0x0e, %ah
	mov	$0x000f, %bx
	int	$0x10
	jmp	next
done:	mov	$ready, %si
	mov	$0xe9, %dx
	mov	$4, %cx
	rep outsb
	mov	$0xf4, %dx
	mov	$0, %al
	out	%al, %dx
1:	hlt
	jmp	1b
line:	.asciz	"Mode set,\r\nand drawn."
ready:	.ascii	"done"
	.org	510
	.word	0xaa55
