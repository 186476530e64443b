/* The table of numbered things. A number is a slot's index + 1, and above it how often the slot has
 * been given back. */
#include "slots.h"
#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 64

/**
 * struct slot - room for a thing
 * @thing: NULL: free
 * @age:   how often it was given back
 * @next:  in the list of free ones
 */
struct slot {
	void *thing;
	uint32_t age;
	uint32_t next;
};

static uint32_t slot_index(uint64_t id)
{
	return (uint32_t)id - 1; /* of 0: UINT32_MAX, which there is none of */
}

static uint64_t slot_id(const struct slots *slots, uint32_t i)
{
	return (uint64_t)slots->slot[i].age << 32 | (i + 1);
}

static int slots_reserve(struct slots *slots, uint32_t room)
{
	if (room <= slots->room)
		return 0;
	uint32_t more = slots->room ? slots->room : SLOTS_FIRST;
	while (more < room)
		more *= 2;
	struct slot *slot = realloc(slots->slot, more * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	slots->slot = slot;
	slots->room = more;
	return 0;
}

/* The one that was given back the longest ago comes first. */
static void slots_put_free(struct slots *slots, uint32_t i)
{
	slots->slot[i].next = 0;
	if (slots->free_head)
		slots->slot[slots->free_tail - 1].next = i + 1;
	else
		slots->free_head = i + 1;
	slots->free_tail = i + 1;
}

int slots_add(struct slots *slots, void *thing, uint64_t *ret_id)
{
	uint32_t i;
	if (slots->free_head) {
		i = slots->free_head - 1;
		slots->free_head = slots->slot[i].next;
	} else {
		if (slots_reserve(slots, slots->count + 1) != 0)
			return -ENOMEM;
		i = slots->count++;
		slots->slot[i].age = 0;
	}
	slots->slot[i].thing = thing;
	slots->used++;
	*ret_id = slot_id(slots, i);
	return 0;
}

int slots_add_at(struct slots *slots, void *thing, uint64_t id, uint32_t max)
{
	uint32_t i = slot_index(id);
	if (i >= max || (i < slots->count && slots->slot[i].thing))
		return -EBADMSG;
	if (slots_reserve(slots, i + 1) != 0)
		return -ENOMEM;
	for (; slots->count <= i; slots->count++)
		slots->slot[slots->count] = (struct slot){.thing = NULL};
	slots->slot[i].thing = thing;
	slots->slot[i].age = (uint32_t)(id >> 32);
	slots->used++;
	return 0;
}

void slots_relink(struct slots *slots)
{
	slots->free_head = slots->free_tail = 0;
	for (uint32_t i = 0; i < slots->count; i++) {
		if (!slots->slot[i].thing)
			slots_put_free(slots, i);
	}
}

void *slots_get(const struct slots *slots, uint64_t id)
{
	uint32_t i = slot_index(id);
	return i < slots->count && slots->slot[i].age == id >> 32 ? slots->slot[i].thing : NULL;
}

void slots_remove(struct slots *slots, uint64_t id)
{
	uint32_t i = slot_index(id);
	slots->slot[i].thing = NULL;
	slots->slot[i].age++;
	slots->used--;
	slots_put_free(slots, i);
}

void *slots_at(const struct slots *slots, uint32_t i)
{
	return slots->slot[i].thing;
}

void slots_clear(struct slots *slots)
{
	free(slots->slot);
	*slots = (struct slots){.slot = NULL};
}
