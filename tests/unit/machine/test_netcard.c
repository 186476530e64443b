/* Network cards: their addresses, what --dry-run opens, what is said of them. */
#include "netcard.h"
#include "test.h"

#include <fcntl.h>
#include <tinyvm/err.h>
#include <tinyvm/net.h>
#include <unistd.h>

static struct netcard cards[CONFIG_NET_MAX];
static struct err err;

static int open_cards(const struct config *cfg)
{
	memset(cards, 0, sizeof(cards));
	memset(&err, 0, sizeof(err));
	return netcards_open(cards, cfg, &err);
}

static bool is_card_address(const uint8_t mac[6])
{
	return (mac[0] & 3) == 2; /* locally administered, one station's */
}

/* Compares and frees. */
static bool is_text(char *text, const char *want)
{
	bool is_same = text && strcmp(text, want) == 0;
	if (!is_same)
		fprintf(stderr, "got \"%s\"\n", text ? text : "(null)");
	free(text);
	return is_same;
}

/* Guests and switches remember these: no version of tinyvm may make others. */
static void test_named_mac_is_the_same_for_ever(void)
{
	static const uint8_t web0[6] = {0x4e, 0xd5, 0x3e, 0x43, 0x84, 0xd2};
	static const uint8_t web1[6] = {0xfa, 0x49, 0x09, 0x3a, 0xf5, 0x4d};
	uint8_t mac[6];

	netcard_named_mac("web", 0, mac);
	CHECK(memcmp(mac, web0, 6) == 0);
	netcard_named_mac("web", 1, mac);
	CHECK(memcmp(mac, web1, 6) == 0);
}

static void test_named_macs_differ_by_name_and_card(void)
{
	static const char *const names[] = {"a", "b", "aa", "ab", "ba", "vm-1", "vm-2", "vm-11"};
	enum {
		NAMES = sizeof(names) / sizeof(names[0]),
		COUNT = NAMES * CONFIG_NET_MAX
	};
	uint8_t macs[COUNT][6];

	for (unsigned i = 0; i < COUNT; i++) {
		netcard_named_mac(names[i / CONFIG_NET_MAX], i % CONFIG_NET_MAX, macs[i]);
		CHECK(is_card_address(macs[i]));
		for (unsigned j = 0; j < i; j++)
			CHECK(memcmp(macs[i], macs[j], 6) != 0);
	}
}

static void test_cards_have_the_addresses_asked_for(void)
{
	const struct config cfg = {
		.name = "web",
		.net = {{.kind = CONFIG_NET_NONE},
			{.kind = CONFIG_NET_NONE,
			 .has_mac = true,
			 .mac = {0x52, 0x54, 0, 1, 2, 3}}},
		.net_count = 2,
	};
	uint8_t mac[6];

	netcard_named_mac("web", 0, mac);
	CHECK_EQ(open_cards(&cfg), 0);
	CHECK(memcmp(cards[0].mac, mac, 6) == 0);
	CHECK(memcmp(cards[1].mac, cfg.net[1].mac, 6) == 0);
	CHECK(!cards[0].is_mac_random && !cards[1].is_mac_random);
	CHECK_STR(cards[0].id, "net0");
	CHECK_STR(cards[1].id, "net1");
	CHECK(cards[0].nif && cards[1].nif && !cards[2].nif);
	netcards_close(cards);
	CHECK(!cards[0].nif);
}

static void test_nameless_cards_have_random_addresses(void)
{
	const struct config cfg = {
		.net = {{.kind = CONFIG_NET_NONE}, {.kind = CONFIG_NET_NONE}},
		.net_count = 2,
	};
	uint8_t mac[6];

	CHECK_EQ(open_cards(&cfg), 0);
	netcards_close(cards);
	CHECK(cards[0].is_mac_random && is_card_address(cards[0].mac));
	CHECK(memcmp(cards[0].mac, cards[1].mac, 6) != 0);
	memcpy(mac, cards[0].mac, 6);
	CHECK_EQ(open_cards(&cfg), 0);
	netcards_close(cards);
	CHECK(memcmp(cards[0].mac, mac, 6) != 0);
}

static void test_dry_run_opens_nothing(void)
{
	struct config cfg = {
		.is_dry_run = true,
		.net = {{.kind = CONFIG_NET_USER},
			{.kind = CONFIG_NET_TAP, .tap = "no-such-tap", .queues = 1},
			{.kind = CONFIG_NET_FD, .fd = 1000000},
			{.kind = CONFIG_NET_SOCKET, .path = "dry.sock", .pcap_path = "dry.pcap"}},
		.net_count = 4,
		.forward = {{.addr = "127.0.0.1", .host_port = 1, .guest_port = 1}},
		.forward_count = 1,
	};

	CHECK_EQ(open_cards(&cfg), 0);
	for (unsigned n = 0; n < cfg.net_count; n++)
		CHECK(cards[n].nif && !cards[n].nif->is_up);
	netcards_close(cards);
	CHECK(access("dry.sock", F_OK) != 0);
	CHECK(access("dry.pcap", F_OK) != 0);
}

static void test_failure_is_said_and_leaves_the_rest_to_close(void)
{
	const struct config cfg = {
		.net = {{.kind = CONFIG_NET_NONE}, {.kind = CONFIG_NET_FD, .fd = 1000000}},
		.net_count = 2,
	};

	CHECK_EQ(open_cards(&cfg), -EBADF);
	CHECK(strstr(err.msg, "1000000"));
	CHECK(cards[0].nif && !cards[1].nif);
	netcards_close(cards);
}

static void test_claims_only_descriptors_that_are_there(void)
{
	struct config cfg = {
		.net = {{.kind = CONFIG_NET_USER, .fd = -1},
			{.kind = CONFIG_NET_FD, .fd = 1000000}},
		.net_count = 2,
	};

	CHECK_EQ(netcards_claim(&cfg, &err), -EBADF);
	CHECK_STR(err.msg, "--net fd=1000000: tinyvm was started without an open descriptor "
			   "1000000");
	cfg.is_dry_run = true;
	CHECK_EQ(netcards_claim(&cfg, &err), 0);
	cfg.is_dry_run = false;
	cfg.net[1].fd = dup(0);
	CHECK_EQ(netcards_claim(&cfg, &err), 0);
	CHECK_EQ(fcntl(cfg.net[1].fd, F_GETFD), FD_CLOEXEC);
	close(cfg.net[1].fd);
}

static void test_pcap_that_cannot_be_written_is_a_failure(void)
{
	const struct config cfg = {
		.net = {{.kind = CONFIG_NET_NONE, .pcap_path = "/nowhere/net.pcap"}},
		.net_count = 1,
	};

	CHECK(open_cards(&cfg) < 0);
	CHECK(strstr(err.msg, "/nowhere/net.pcap"));
	netcards_close(cards);
}

static void test_published_is_the_first_user_card(void)
{
	struct config cfg = {
		.net = {{.kind = CONFIG_NET_TAP},
			{.kind = CONFIG_NET_USER},
			{.kind = CONFIG_NET_USER}},
		.net_count = 3,
	};

	CHECK_EQ(netcard_published(&cfg), 1);
	cfg.net_count = 1;
	CHECK_EQ(netcard_published(&cfg), 1);
	cfg.net_count = 0;
	CHECK_EQ(netcard_published(&cfg), 0);
}

static void test_descriptions(void)
{
	const struct netcard card = {.mac = {2, 0, 0, 0xab, 0, 1}};
	const struct config cfg = {
		.net = {{.kind = CONFIG_NET_USER, .mtu = 1400},
			{.kind = CONFIG_NET_TAP, .tap = "t0", .bridge = "br0", .queues = 4},
			{.kind = CONFIG_NET_TAP, .queues = 1},
			{.kind = CONFIG_NET_SOCKET, .path = "lan.sock", .pcap_path = "a.pcap"},
			{.kind = CONFIG_NET_FD, .fd = 7},
			{.kind = CONFIG_NET_NONE}},
		.net_count = 6,
	};
	static const char *const want[] = {
		"user, by passt, MAC 02:00:00:ab:00:01, MTU 1400",
		"tap t0 on bridge br0, 4 queues, MAC 02:00:00:ab:00:01",
		"a new tap, MAC 02:00:00:ab:00:01",
		"socket lan.sock, MAC 02:00:00:ab:00:01, recorded in a.pcap",
		"descriptor 7, MAC 02:00:00:ab:00:01",
		"no cable, MAC 02:00:00:ab:00:01",
	};

	for (unsigned n = 0; n < cfg.net_count; n++)
		CHECK(is_text(netcard_describe(&card, &cfg, n), want[n]));
}

static void test_dry_run_does_not_invent_an_address(void)
{
	const struct netcard card = {.mac = {2}, .is_mac_random = true};
	struct config cfg = {.net = {{.kind = CONFIG_NET_NONE}}, .net_count = 1};

	CHECK(is_text(netcard_describe(&card, &cfg, 0), "no cable, MAC 02:00:00:00:00:00"));
	cfg.is_dry_run = true;
	CHECK(is_text(netcard_describe(&card, &cfg, 0), "no cable, a random MAC address"));
}

static void test_forward_descriptions(void)
{
	const struct net_forward tcp = {"127.0.0.1", 8080, 80, false};
	const struct net_forward udp = {"::1", 53, 5353, true};

	CHECK(is_text(netcard_describe_forward(&tcp),
		      "127.0.0.1:8080 to the guest's port 80, TCP"));
	CHECK(is_text(netcard_describe_forward(&udp), "[::1]:53 to the guest's port 5353, UDP"));
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_named_mac_is_the_same_for_ever),
		TEST_CASE(test_named_macs_differ_by_name_and_card),
		TEST_CASE(test_cards_have_the_addresses_asked_for),
		TEST_CASE(test_nameless_cards_have_random_addresses),
		TEST_CASE(test_dry_run_opens_nothing),
		TEST_CASE(test_failure_is_said_and_leaves_the_rest_to_close),
		TEST_CASE(test_claims_only_descriptors_that_are_there),
		TEST_CASE(test_pcap_that_cannot_be_written_is_a_failure),
		TEST_CASE(test_published_is_the_first_user_card),
		TEST_CASE(test_descriptions),
		TEST_CASE(test_dry_run_does_not_invent_an_address),
		TEST_CASE(test_forward_descriptions),
	};
	return TEST_RUN(cases);
}
