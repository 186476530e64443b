/*
 * Steps on the event loop. A step begins when the one before it is done, and its time with it. The
 * screen is looked at every 50 ms, as it stands; of what was heard, each --expect uses up all to
 * the end of what it found, so that the next one waits for something new.
 */
#include "script.h"

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>

#define MS	1000000ULL
#define LOOK_NS (50 * MS)
#define TYPE_NS (5 * MS)

/* Of what was heard, so much is kept; when it is full, the older half goes. */
#define HEARD_MAX 65536u

/* How much of it is shown of a failed step. */
#define TELL_LINES 25u
#define TELL_TEXT  80u

/**
 * struct script - the steps
 * @now:      the one that is due, @count when all are done
 * @typed:    bytes of its text that were taken
 * @begin_ns: when it began
 * @why:      of a failure, ends the sentence "step ... was not done "
 * @lock:     for @heard, NUL-terminated, @heard_len bytes, which begin amid a line when
 * @is_amid_line
 */
struct script {
	const struct config_step *step;
	unsigned count;
	regex_t *regex; /* of each step that waits */
	struct script_hooks hooks;
	struct clock clock;
	struct timer timer;
	enum script_state state;
	unsigned now;
	size_t typed;
	uint64_t begin_ns;
	char why[64];
	struct screen screen;
	char text[SCREEN_TEXT_MAX];
	pthread_mutex_t lock;
	size_t heard_len;
	bool is_amid_line;
	char heard[HEARD_MAX + 1];
};

static bool step_waits(const struct config_step *step)
{
	return step->kind == STEP_EXPECT || step->kind == STEP_EXPECT_SCREEN;
}

int script_create(struct script **ret_script, const struct config_step *step, unsigned count,
		  const struct script_hooks *hooks, struct clock clock, struct timer timer,
		  struct err *err)
{
	struct script *s = calloc(1, sizeof(*s));
	regex_t *regex = calloc(count, sizeof(*regex));
	if (!s || !regex) {
		free(s);
		free(regex);
		return err_set(err, -ENOMEM, "not enough host memory");
	}
	s->step = step;
	s->regex = regex;
	s->hooks = *hooks;
	s->clock = clock;
	s->timer = timer;
	pthread_mutex_init(&s->lock, NULL);
	for (; s->count < count; s->count++)
		if (step_waits(&step[s->count]) &&
		    regcomp(&regex[s->count], step[s->count].text, REG_EXTENDED | REG_NEWLINE) != 0)
			break;
	if (s->count < count) {
		err_set(err, -EINVAL, "'%.80s' is no regular expression", step[s->count].text);
		script_destroy(s);
		return -EINVAL;
	}
	*ret_script = s;
	return 0;
}

void script_destroy(struct script *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++)
		if (step_waits(&s->step[i]))
			regfree(&s->regex[i]);
	pthread_mutex_destroy(&s->lock);
	free(s->regex);
	free(s);
}

/* The first @len bytes are done with. */
static void script_forget_heard(struct script *s, size_t len)
{
	if (!len)
		return;
	s->is_amid_line = s->heard[len - 1] != '\n';
	s->heard_len -= len;
	memmove(s->heard, s->heard + len, s->heard_len);
	s->heard[s->heard_len] = '\0';
}

/* Carriage returns are left out, so that lines end where they seem to; NULs cannot be kept. */
void script_hear(struct script *s, const uint8_t *buf, size_t len)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\r' || !buf[i])
			continue;
		if (s->heard_len == HEARD_MAX)
			script_forget_heard(s, HEARD_MAX / 2);
		s->heard[s->heard_len++] = (char)buf[i];
	}
	s->heard[s->heard_len] = '\0';
	pthread_mutex_unlock(&s->lock);
}

static bool script_has_heard(struct script *s)
{
	regmatch_t match;
	pthread_mutex_lock(&s->lock);
	bool is_found = regexec(&s->regex[s->now], s->heard, 1, &match,
				s->is_amid_line ? REG_NOTBOL : 0) == 0;
	if (is_found)
		script_forget_heard(s, (size_t)match.rm_eo);
	pthread_mutex_unlock(&s->lock);
	return is_found;
}

static void script_look(struct script *s)
{
	s->hooks.take(s->hooks.ctx, &s->screen);
	screen_text(&s->screen, s->text, sizeof(s->text));
}

static bool script_sees(struct script *s)
{
	script_look(s);
	return regexec(&s->regex[s->now], s->text, 0, NULL, 0) == 0;
}

static bool script_has_typed(struct script *s, const char *text)
{
	size_t len = strlen(text);
	if (s->typed < len)
		s->typed += s->hooks.type(s->hooks.ctx, text + s->typed, len - s->typed);
	return s->typed == len && s->hooks.is_done(s->hooks.ctx);
}

static bool script_has_struck(struct script *s, const char *name)
{
	if (!s->typed)
		s->typed = s->hooks.key(s->hooks.ctx, name);
	return s->typed && s->hooks.is_done(s->hooks.ctx);
}

/* Works on the step that is due. Return: whether it is done. */
static bool script_do_step(struct script *s)
{
	const struct config_step *step = &s->step[s->now];
	switch (step->kind) {
	case STEP_EXPECT_SCREEN:
		return script_sees(s);
	case STEP_EXPECT:
		return script_has_heard(s);
	case STEP_TYPE:
		return script_has_typed(s, step->text);
	case STEP_KEY:
		return script_has_struck(s, step->text);
	}
	return false;
}

static const char *step_option(const struct config_step *step)
{
	static const char *const options[] = {
		[STEP_EXPECT_SCREEN] = "expect-screen",
		[STEP_EXPECT] = "expect",
		[STEP_TYPE] = "type",
		[STEP_KEY] = "key",
	};
	return options[step->kind];
}

static void script_next(struct script *s, uint64_t now_ns)
{
	log_info("step %u of %u is done: --%s", s->now + 1, s->count,
		 step_option(&s->step[s->now]));
	s->now++;
	s->typed = 0;
	s->begin_ns = now_ns;
}

/* The screen is kept for script_tell(), when there may be no machine any more. */
static void script_fail(struct script *s)
{
	s->state = SCRIPT_FAILED;
	script_look(s);
}

void script_expired(void *ctx)
{
	struct script *s = ctx;
	uint64_t now_ns = s->clock.monotonic_ns(s->clock.ctx);

	if (s->state != SCRIPT_RUNNING)
		return;
	while (s->now < s->count && script_do_step(s))
		script_next(s, now_ns);
	if (s->now == s->count) {
		s->state = SCRIPT_DONE;
		if (step_waits(&s->step[s->count - 1]))
			s->hooks.over(s->hooks.ctx);
		return;
	}
	const struct config_step *step = &s->step[s->now];
	if (now_ns - s->begin_ns >= step->limit_ms * MS) {
		snprintf(s->why, sizeof(s->why), "within %g s", (double)step->limit_ms / 1000);
		script_fail(s);
		s->hooks.over(s->hooks.ctx);
		return;
	}
	timer_arm(&s->timer, now_ns + (step_waits(step) ? LOOK_NS : TYPE_NS));
}

void script_start(struct script *s)
{
	s->begin_ns = s->clock.monotonic_ns(s->clock.ctx);
	timer_arm(&s->timer, s->begin_ns + LOOK_NS);
}

enum script_state script_finish(struct script *s)
{
	/* What was typed last needs nobody to read it; what there is to see will not change. */
	while (s->state == SCRIPT_RUNNING) {
		if (s->now == s->count) {
			s->state = SCRIPT_DONE;
		} else if (!step_waits(&s->step[s->now]) || script_do_step(s)) {
			s->now++;
		} else {
			snprintf(s->why, sizeof(s->why), "before the machine ended");
			script_fail(s);
		}
	}
	return s->state;
}

/* As the user wrote it, nearly: what a terminal would obey as an escape. */
static void script_put_text(FILE *out, const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len && i < TELL_TEXT; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	if (len > TELL_TEXT)
		fputs("...", out);
}

/* The last lines of @text, without what a terminal would obey. */
static void script_put_lines(FILE *out, const char *text)
{
	const char *from = text + strlen(text);
	for (unsigned lines = 0; from > text; from--)
		if (from[-1] == '\n' && lines++ == TELL_LINES)
			break;
	from += strspn(from, "\n");
	bool is_line = false;
	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;
		if (!is_line)
			fputs(c == '\n' ? "  |" : "  | ", out);
		is_line = c != '\n';
		fputc(c == '\n' || (c >= ' ' && c != 0x7f) ? c : '?', out);
	}
	if (is_line)
		fputc('\n', out);
}

void script_tell(struct script *s, FILE *out)
{
	const struct config_step *step = &s->step[s->now];
	bool is_screen = step->kind != STEP_EXPECT;
	const char *text = is_screen ? s->text : s->heard;

	fprintf(out, "step %u of %u failed: --%s '", s->now + 1, s->count, step_option(step));
	script_put_text(out, step->text);
	fprintf(out, "' was not %s %s\n",
		step->kind == STEP_EXPECT_SCREEN ? "seen"
		: step->kind == STEP_EXPECT	 ? "heard"
						 : "read by the guest",
		s->why);
	if (is_screen && s->screen.kind == SCREEN_GRAPHICS)
		fputs("the screen is in a graphics mode\n", out);
	else if (!*text)
		fprintf(out, "%s\n", is_screen ? "the screen is empty" : "nothing was heard");
	else
		fprintf(out, "%s:\n", is_screen ? "the screen" : "what was heard last");
	script_put_lines(out, text);
}
