/* Tables of the ROM that old software looks for at their places. */
	.macro	AT name
	.section .at.\name, "a", @progbits
	.endm

/* INT 15h AH=C0h: length of the rest, model FCh (AT), submodel, revision, features */
	AT	config
	.word	8
	.byte	0xfc, 0x00, 0x00
	.byte	0x74 /* second 8259, clock, INT 15h AH=4Fh is called, extended BIOS data area */
	.byte	0x40 /* INT 16h AH=09h */
	.byte	0x00, 0x00, 0x00

/* INT 1Eh: step rate, head load, motor off after 37 ticks, 512-byte sectors, 18 of them, gaps,
 * data length, fill byte, settling time in ms, motor start in 1/8 s */
	AT	floppy_table
	.byte	0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08

	AT	date
	.ascii	"12/31/99"
	AT	model
	.byte	0xfc
