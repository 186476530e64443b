/* What the guest behind passt is told of name servers. */
#include "run_parts.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const struct run_net net = {.address = "192.0.2.7/24", .gateway = "192.0.2.1"};

static FILE *file_of(const char *text)
{
	FILE *in = tmpfile();
	if (in) {
		fputs(text, in);
		rewind(in);
	}
	return in;
}

static void test_run_net_name_servers_come_in_their_order(void)
{
	char dns[RUN_NET_TEXT];
	FILE *in = file_of("# nameserver 198.51.100.9\nsearch example.org\n"
			   "nameserver 198.51.100.1\nnameserver\t198.51.100.2 # two\n");
	CHECK(in);
	CHECK(run_net_next_dns(in, &net, dns));
	CHECK_STR(dns, "198.51.100.1");
	CHECK(run_net_next_dns(in, &net, dns));
	CHECK_STR(dns, "198.51.100.2");
	CHECK(!run_net_next_dns(in, &net, dns));
	fclose(in);
}

static void test_run_net_a_resolver_on_loopback_is_reached_through_the_gateway(void)
{
	char dns[RUN_NET_TEXT];
	FILE *in = file_of("nameserver 127.0.0.53\noptions edns0 trust-ad\n");
	CHECK(in);
	CHECK(run_net_next_dns(in, &net, dns));
	CHECK_STR(dns, "192.0.2.1");
	CHECK(!run_net_next_dns(in, &net, dns));
	fclose(in);
}

static void test_run_net_ipv6_and_nonsense_are_passed_over(void)
{
	char dns[RUN_NET_TEXT];
	FILE *in =
		file_of("nameserver 2001:db8::1\nnameserver x\nnameserver\nnameserver 1.2.3.4\n");
	CHECK(in);
	CHECK(run_net_next_dns(in, &net, dns));
	CHECK_STR(dns, "1.2.3.4");
	CHECK(!run_net_next_dns(in, &net, dns));
	fclose(in);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_run_net_name_servers_come_in_their_order),
		TEST_CASE(test_run_net_a_resolver_on_loopback_is_reached_through_the_gateway),
		TEST_CASE(test_run_net_ipv6_and_nonsense_are_passed_over),
	};
	return TEST_RUN(cases);
}
