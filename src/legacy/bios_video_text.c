/*
 * INT 10h: characters on the screen, of text modes and drawn in graphics modes: scrolling, reading,
 * writing, teletype, strings.
 */
#include "bios_video.h"

#define TEXT_BASE_MONO	0xb0000u
#define TEXT_BASE_COLOR 0xb8000u
#define TEXT_MASK	0x7fffu
#define CELL_BYTES	2
#define COLS_MAX	132

#define BACKSPACE 0x08
#define LINE_FEED 0x0a
#define RETURN	  0x0d
#define BELL	  0x07

/* Where on the screen something is written. */
struct place {
	unsigned page, row, col;
};

static gpa_t video_cell(const struct video *v, const struct place *at)
{
	unsigned offset = at->page * v->page_size + (at->row * v->cols + at->col) * CELL_BYTES;
	gpa_t base = v->mode->number == 7 ? TEXT_BASE_MONO : TEXT_BASE_COLOR;
	return base + (offset & TEXT_MASK & ~1u);
}

static struct place video_cursor_place(const struct video *v, unsigned page)
{
	page %= VIDEO_PAGES;
	uint16_t cursor = bios_peek16(v->b, BDA_VIDEO_CURSOR + page * 2);
	struct place at = {.page = page, .row = cursor >> 8, .col = cursor & 0xff};
	if (at.row >= v->rows)
		at.row = v->rows - 1;
	if (at.col >= v->cols)
		at.col = v->cols - 1;
	return at;
}

/* The cells of a row. Graphics rows are always those of the first page, as on the CGA. */
static void video_move_row(const struct video *v, unsigned to_row, unsigned from_row, unsigned col,
			   unsigned cols)
{
	uint8_t cells[COLS_MAX * CELL_BYTES];
	const struct place from = {v->page, from_row, col}, to = {v->page, to_row, col};
	if (v->kind != VIDEO_TEXT) {
		video_copy_row(v, to_row, from_row, col, cols);
		return;
	}
	bios_copy_in(v->b, cells, video_cell(v, &from), cols * CELL_BYTES);
	bios_copy_out(v->b, video_cell(v, &to), cells, cols * CELL_BYTES);
}

static void video_blank_row(const struct video *v, unsigned row, unsigned col, unsigned cols,
			    uint8_t attribute)
{
	uint8_t cells[COLS_MAX * CELL_BYTES];
	const struct place at = {v->page, row, col};
	if (v->kind != VIDEO_TEXT) {
		video_clear_row(v, row, col, cols, attribute);
		return;
	}
	for (unsigned i = 0; i < cols; i++) {
		cells[i * CELL_BYTES] = ' ';
		cells[i * CELL_BYTES + 1] = attribute;
	}
	bios_copy_out(v->b, video_cell(v, &at), cells, cols * CELL_BYTES);
}

/* A window of the active page, moved up by @lines (down when @is_down); 0 clears it. */
struct scroll {
	unsigned top, left, bottom, right, lines;
	uint8_t attribute;
	bool is_down;
};

static void video_scroll(const struct video *v, struct scroll s)
{
	if (s.bottom >= v->rows)
		s.bottom = v->rows - 1;
	if (s.right >= v->cols)
		s.right = v->cols - 1;
	if (s.top > s.bottom || s.left > s.right)
		return;
	unsigned height = s.bottom - s.top + 1, cols = s.right - s.left + 1;
	if (!s.lines || s.lines > height)
		s.lines = height;
	for (unsigned i = 0; i < height; i++) {
		unsigned row = s.is_down ? s.bottom - i : s.top + i;
		if (i + s.lines >= height)
			video_blank_row(v, row, s.left, cols, s.attribute);
		else
			video_move_row(v, row, s.is_down ? row - s.lines : row + s.lines, s.left,
				       cols);
	}
}

static uint16_t video_read_cell(const struct video *v, const struct place *at)
{
	if (v->kind == VIDEO_TEXT)
		return bios_peek16(v->b, video_cell(v, at));
	return video_recognize_glyph(v, at->page, at->row, at->col);
}

/* @has_attribute: else the cell keeps its own; in graphics it is the colour all the same. */
static void video_write_cell(const struct video *v, const struct place *at, uint8_t code,
			     uint8_t attribute, bool has_attribute)
{
	if (v->kind != VIDEO_TEXT) {
		video_draw_glyph(v, at->page, at->row, at->col, code, attribute);
		return;
	}
	bios_poke8(v->b, video_cell(v, at), code);
	if (has_attribute)
		bios_poke8(v->b, video_cell(v, at) + 1, attribute);
}

/*
 * Where the cursor goes when @code is written. Return: whether the screen has to scroll for it, and
 * then @at is on the last row.
 */
static bool video_advance(const struct video *v, struct place *at, uint8_t code)
{
	switch (code) {
	case BELL:
		return false;
	case BACKSPACE:
		at->col -= at->col > 0;
		return false;
	case RETURN:
		at->col = 0;
		return false;
	case LINE_FEED:
		break;
	default:
		if (++at->col < v->cols)
			return false;
		at->col = 0;
		break;
	}
	if (++at->row < v->rows)
		return false;
	at->row = v->rows - 1;
	return true;
}

static bool video_is_control(uint8_t code)
{
	return code == BELL || code == BACKSPACE || code == LINE_FEED || code == RETURN;
}

/* The row that comes in looks like where the cursor was. */
static void video_scroll_one(const struct video *v, const struct place *at)
{
	uint8_t attribute = 0;
	if (at->page != v->page)
		return;
	if (v->kind == VIDEO_TEXT)
		attribute = (uint8_t)(bios_peek16(v->b, video_cell(v, at)) >> 8);
	video_scroll(v, (struct scroll){.bottom = v->rows - 1,
					.right = v->cols - 1,
					.lines = 1,
					.attribute = attribute});
}

void video_teletype(const struct video *v, uint8_t code, uint8_t color)
{
	struct place at = video_cursor_place(v, v->page);
	if (!video_is_control(code))
		video_write_cell(v, &at, code, color, false);
	struct place from = at;
	if (video_advance(v, &at, code))
		video_scroll_one(v, &from);
	video_set_cursor(v, at.page, at.row, at.col);
}

static void video_write_repeated(const struct video *v, const struct bios_frame *f)
{
	struct place at = video_cursor_place(v, bios_high(f->ebx));
	unsigned count = bios_word(f->ecx);
	unsigned cells = v->rows * v->cols - (at.row * v->cols + at.col);
	bool has_attribute = bios_high(f->eax) == 0x09;
	for (unsigned i = 0; i < count && i < cells; i++) {
		video_write_cell(v, &at, bios_low(f->eax), bios_low(f->ebx), has_attribute);
		video_advance(v, &at, ' ');
	}
}

/* A string of AH=13h: @step bytes a character, with its attribute if that is two. */
struct video_string {
	gpa_t at;
	unsigned count, step;
	uint8_t attribute;
};

static unsigned video_count_scrolls(const struct video *v, const struct video_string *s,
				    struct place at)
{
	unsigned scrolls = 0;
	for (unsigned i = 0; i < s->count; i++)
		scrolls += video_advance(v, &at, bios_peek8(v->b, s->at + (gpa_t)i * s->step));
	return scrolls;
}

/*
 * What would scroll off the screen before the string ends is not even drawn, so that a long string
 * takes no longer than a screenful.
 */
static struct place video_write_cells(const struct video *v, const struct video_string *s,
				      struct place at)
{
	unsigned scrolls_left = video_count_scrolls(v, s, at);
	for (unsigned i = 0; i < s->count; i++) {
		gpa_t src = s->at + (gpa_t)i * s->step;
		uint8_t code = bios_peek8(v->b, src);
		uint8_t attribute = s->step == 2 ? bios_peek8(v->b, src + 1) : s->attribute;
		bool is_seen = scrolls_left < v->rows;
		struct place from = at;
		if (is_seen && !video_is_control(code))
			video_write_cell(v, &at, code, attribute, true);
		if (!video_advance(v, &at, code))
			continue;
		/* The guest may have changed the string meanwhile. */
		scrolls_left -= scrolls_left > 0;
		if (is_seen)
			video_scroll_one(v, &from);
	}
	return at;
}

static void video_write_string(const struct video *v, const struct bios_frame *f)
{
	unsigned page = bios_high(f->ebx) % VIDEO_PAGES;
	const struct video_string s = {.at = bios_gpa(f->es, bios_word(f->ebp)),
				       .count = bios_word(f->ecx),
				       .step = f->eax & 2 ? 2 : 1,
				       .attribute = bios_low(f->ebx)};
	struct place at = {page, bios_high(f->edx), bios_low(f->edx)};
	if (at.row >= v->rows || at.col >= v->cols)
		return;
	at = video_write_cells(v, &s, at);
	if (f->eax & 1)
		video_set_cursor(v, page, at.row, at.col);
}

void video_write(const struct video *v, struct bios_frame *f)
{
	struct place at = video_cursor_place(v, bios_high(f->ebx));
	switch (bios_high(f->eax)) {
	case 0x06:
	case 0x07:
		video_scroll(v, (struct scroll){.top = bios_high(f->ecx),
						.left = bios_low(f->ecx),
						.bottom = bios_high(f->edx),
						.right = bios_low(f->edx),
						.lines = bios_low(f->eax),
						.attribute = bios_high(f->ebx),
						.is_down = bios_high(f->eax) == 0x07});
		break;
	case 0x08:
		bios_set_word(&f->eax, video_read_cell(v, &at));
		break;
	case 0x09:
	case 0x0a:
		video_write_repeated(v, f);
		break;
	case 0x0e:
		video_teletype(v, bios_low(f->eax), bios_low(f->ebx));
		break;
	default:
		video_write_string(v, f);
		break;
	}
}
