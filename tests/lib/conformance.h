/*
 * The contract every struct device keeps, checked by one suite: state goes both ways, a load treats
 * its stream as hostile, reset equals fresh.
 *
 *	static struct device *fresh(void *ctx) { ... create ...; return &dev->dev; }
 *	static void scramble(struct device *dev, void *ctx) { ... guest register writes ...; }
 *
 *	static void test_chip_conforms(void)
 *	{
 *		struct conformance c = {.create = fresh, .scramble = scramble, .ctx = &world};
 *		conformance_check(&c);
 *	}
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

struct device;

/**
 * struct conformance - how to come by a device of the type under test
 * @create:   a device at power-on values, with the same id each time; NULL when there is not enough
 *            memory. Up to four exist at once, and the suite destroys them with device_destroy().
 *            They may share what lies behind @ctx (fake guest memory, fake wires).
 * @scramble: drives one into an interesting state the way a guest or a backend would. Called
 *            without the device's lock, also after a damaged load was survived
 * @ctx:      for both
 */
struct conformance {
	struct device *(*create)(void *ctx);
	void (*scramble)(struct device *dev, void *ctx);
	void *ctx;
};

/**
 * conformance_check() - run the suite inside a test case
 *
 * When any one allocation of its creation fails, there is no device. Two fresh devices save the
 * same bytes; a scrambled one saves other bytes than a fresh one; save A, load into a twin, save
 * the twin: the same bytes; a load over a scrambled device too. A stream cut at any byte, or with
 * any byte changed (of a state longer than 2 KiB, as many evenly spread), is refused. With its
 * checksums made right again, a changed stream may be taken or refused, but the device survives it:
 * it can be resumed, saved, reset. Reset always brings back the bytes of a fresh device. Failures
 * are reported with test_failed().
 */
void conformance_check(const struct conformance *c);

#endif
