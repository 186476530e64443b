/* Bytes that a PS/2 device has to say and its controller has not taken yet. */
#include "ps2.h"

#include <string.h>
#include <tinyvm/state.h>

void ps2_queue_push(struct ps2_queue *q, uint8_t byte)
{
	if (q->len < PS2_QUEUE_MAX)
		q->byte[q->len++] = byte;
}

uint8_t ps2_queue_pop(struct ps2_queue *q)
{
	if (!q->len)
		return 0;
	uint8_t byte = q->byte[0];
	memmove(q->byte, q->byte + 1, --q->len);
	return byte;
}

void ps2_queue_state(struct ps2_queue *q, struct state *st, const char *tag)
{
	size_t len = q->len;
	state_blob(st, tag, q->byte, &len, sizeof(q->byte));
	q->len = (uint8_t)len;
}
