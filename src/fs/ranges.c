/* Locked bytes of a file, in an array: searched by halves, changed in one place at a time. */
#include "ranges.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_FIRST 4

/* The first range that ends at @offset or later; ranges->count: none does. */
static unsigned ranges_find(const struct ranges *ranges, uint64_t offset)
{
	unsigned low = 0, high = ranges->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (ranges->at[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* @range takes the place of what it overlaps, of which up to two ends are left. */
static void ranges_plan(const struct ranges *ranges, const struct range *range,
			struct ranges_edit *ret)
{
	const struct range *at = ranges->at;
	unsigned first = ranges_find(ranges, range->start), end = first;
	struct range whole = *range, before = *range, after = *range;
	bool has_before = false, has_after = false;

	while (end < ranges->count && at[end].start <= range->end)
		end++;
	if (first < end) {
		before = at[first];
		has_before = before.start < range->start;
		before.end = range->start - 1;
		after = at[end - 1];
		has_after = after.end > range->end;
		after.start = range->end + 1;
	}
	if (!has_before && first > 0 && at[first - 1].end + 1 == range->start) {
		before = at[--first];
		has_before = true;
	}
	if (!has_after && end < ranges->count && at[end].start == range->end + 1) {
		after = at[end++];
		has_after = true;
	}
	if (has_before && before.type == range->type) {
		whole.start = before.start;
		has_before = false;
	}
	if (has_after && after.type == range->type) {
		whole.end = after.end;
		has_after = false;
	}

	*ret = (struct ranges_edit){.first = first, .removed = end - first};
	if (has_before)
		ret->added[ret->added_count++] = before;
	if (whole.type != F_UNLCK)
		ret->added[ret->added_count++] = whole;
	if (has_after)
		ret->added[ret->added_count++] = after;
}

static int ranges_resize(struct ranges *ranges, unsigned room)
{
	struct range *at = realloc(ranges->at, room * sizeof(*at));
	if (!at)
		return -ENOMEM;
	ranges->at = at;
	ranges->room = room;
	return 0;
}

int ranges_prepare(struct ranges *ranges, const struct range *range, struct ranges_edit *ret_edit)
{
	ranges_plan(ranges, range, ret_edit);
	unsigned count = ranges->count - ret_edit->removed + ret_edit->added_count;
	if (count <= ranges->room)
		return 0;
	return ranges_resize(ranges, ranges->room ? 2 * ranges->room : RANGES_FIRST);
}

void ranges_apply(struct ranges *ranges, const struct ranges_edit *edit)
{
	unsigned behind = edit->first + edit->removed;
	if (ranges->count > behind)
		memmove(&ranges->at[edit->first + edit->added_count], &ranges->at[behind],
			(ranges->count - behind) * sizeof(ranges->at[0]));
	for (unsigned i = 0; i < edit->added_count; i++)
		ranges->at[edit->first + i] = edit->added[i];
	ranges->count = ranges->count - edit->removed + edit->added_count;
	/* Who has had many does not keep the room for them. Should that fail, there is no harm. */
	if (ranges->room > RANGES_FIRST && ranges->count <= ranges->room / 4)
		(void)ranges_resize(ranges, ranges->room / 2);
}

bool ranges_conflict(const struct ranges *ranges, const struct range *range)
{
	unsigned i = ranges_find(ranges, range->start);
	for (; i < ranges->count && ranges->at[i].start <= range->end; i++) {
		if (range->type == F_WRLCK || ranges->at[i].type == F_WRLCK)
			return true;
	}
	return false;
}

void ranges_clear(struct ranges *ranges)
{
	free(ranges->at);
	*ranges = (struct ranges){.at = NULL};
}
