/* The command line's network: cards, forwarded ports, names, and how to get them wrong. */
#include "config_line.h"
#include "config_parts.h"
#include "test.h"

#define PARSE_NET(...) PARSE("-k", "k", __VA_ARGS__)

#define CHECK_NET_REFUSED(sentence, ...) CHECK_REFUSED(sentence, "-k", "k", __VA_ARGS__)

static const struct config_net *net(unsigned n)
{
	return &line.cfg.net[n];
}

static bool is_forward(unsigned n, const char *addr, unsigned host, unsigned guest, bool is_udp)
{
	const struct net_forward *f = &line.cfg.forward[n];
	bool is_same = strcmp(f->addr, addr) == 0 && f->host_port == host &&
		       f->guest_port == guest && f->is_udp == is_udp;
	if (!is_same)
		fprintf(stderr, "got %s %u %u %d\n", f->addr, f->host_port, f->guest_port,
			f->is_udp);
	return is_same;
}

static void test_net_alone_is_user(void)
{
	CHECK_EQ(PARSE_NET("--net"), 0);
	CHECK_EQ(line.cfg.net_count, 1);
	CHECK_EQ(net(0)->kind, CONFIG_NET_USER);
	CHECK_EQ(PARSE_NET("--net", "-v"), 0);
	CHECK_EQ(net(0)->kind, CONFIG_NET_USER);
	CHECK_EQ(line.cfg.verbose, 1);
	CHECK_EQ(PARSE("--net", "--kernel", "k"), 0);
	CHECK_EQ(line.cfg.net_count, 1);
	CHECK_EQ(PARSE_NET("--net", "--net", "--net"), 0);
	CHECK_EQ(line.cfg.net_count, 3);
	CHECK_NET_REFUSED("unknown option --memroy; did you mean --memory?", "--net", "--memroy");
	CHECK_NET_REFUSED("--net needs a value that is not empty, such as --net user", "--net=");
}

static void test_net_defaults(void)
{
	CHECK_EQ(PARSE_NET("--net", "user"), 0);
	CHECK_EQ(net(0)->kind, CONFIG_NET_USER);
	CHECK(!net(0)->tap && !net(0)->bridge && !net(0)->path && !net(0)->pcap_path);
	CHECK_EQ(net(0)->fd, -1);
	CHECK(!net(0)->has_mac);
	CHECK_EQ(net(0)->mtu, 0);
	CHECK_EQ(net(0)->queues, 1);
	CHECK(net(0)->is_vhost_wanted);
}

static void test_net_kinds_in_their_order(void)
{
	CHECK_EQ(PARSE_NET("--net", "tap=vm0", "--net=tap", "--net", "socket=/run/lan,,1.sock",
			   "--net", "fd=12", "--net", "none", "--net=user"),
		 0);
	CHECK_EQ(line.cfg.net_count, 6);
	CHECK_EQ(net(0)->kind, CONFIG_NET_TAP);
	CHECK_STR(net(0)->tap, "vm0");
	CHECK_EQ(net(1)->kind, CONFIG_NET_TAP);
	CHECK(!net(1)->tap);
	CHECK_EQ(net(2)->kind, CONFIG_NET_SOCKET);
	CHECK_STR(net(2)->path, "/run/lan,1.sock");
	CHECK_EQ(net(3)->kind, CONFIG_NET_FD);
	CHECK_EQ(net(3)->fd, 12);
	CHECK_EQ(net(4)->kind, CONFIG_NET_NONE);
	CHECK_EQ(net(5)->kind, CONFIG_NET_USER);
}

static void test_net_keys(void)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0xab, 0xCD, 0xef};

	CHECK_EQ(PARSE_NET("--net", "tap,bridge=br0,queues=8,vhost=off,mtu=9000", "--net",
			   "none,pcap=a,,b.pcap,mac=52:54:00:ab:CD:eF", "--net", "user,mtu=68",
			   "--net", "socket=s,mtu=65535"),
		 0);
	CHECK_STR(net(0)->bridge, "br0");
	CHECK_EQ(net(0)->queues, 8);
	CHECK(!net(0)->is_vhost_wanted);
	CHECK_EQ(net(0)->mtu, 9000);
	CHECK_STR(net(1)->pcap_path, "a,b.pcap");
	CHECK(net(1)->has_mac);
	CHECK(memcmp(net(1)->mac, mac, 6) == 0);
	CHECK_EQ(net(2)->mtu, 68);
	CHECK_EQ(net(3)->mtu, 65535);
}

static void test_net_kind_mistakes(void)
{
	CHECK_NET_REFUSED("--net 'bridge=br0' is unknown; it is one of user, tap, tap=NAME, "
			  "socket=PATH, fd=N and none",
			  "--net", "bridge=br0");
	CHECK_EQ(PARSE_NET("--net", "use"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "users"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "-"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", ",user"), -EINVAL);
	CHECK_NET_REFUSED("--net user takes no value; leave =x out", "--net", "user=x");
	CHECK_NET_REFUSED("--net none takes no value; leave = out", "--net", "none=");
	CHECK_NET_REFUSED("--net socket needs a value, such as --net socket=lan.sock", "--net",
			  "socket");
	CHECK_NET_REFUSED("--net socket needs a value, such as --net socket=lan.sock", "--net",
			  "socket=,mtu=1500");
	CHECK_NET_REFUSED("--net fd needs a value, such as --net fd=3", "--net", "fd");
	CHECK_NET_REFUSED("--net tap needs a value, such as --net tap=tap0", "--net", "tap=");
}

static void test_net_fd_mistakes(void)
{
	static const char *const bad[] = {"fd=x",
					  "fd=-1",
					  "fd=3x",
					  "fd=+3",
					  "fd= 3",
					  "fd=2147483648",
					  "fd=99999999999999999999999"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(PARSE_NET("--net", bad[i]), -EINVAL);
		CHECK(strstr(line.err.msg, "is not a number"));
	}
	CHECK_NET_REFUSED("--net fd=x: 'x' is not a number; write that of a connected stream "
			  "socket that tinyvm was started with, like --net fd=3",
			  "--net", "fd=x");
	CHECK_NET_REFUSED("--net fd=2: 0 to 2 are standard input, output and error; hand the "
			  "socket down as 3 or a higher number",
			  "--net", "fd=2");
	CHECK_EQ(PARSE_NET("--net", "fd=2147483647"), 0);
	CHECK_EQ(net(0)->fd, 2147483647);
}

static void test_net_mac_mistakes(void)
{
	static const char *const bad[] = {"mac=1",
					  "mac=52:54:00:12:34",
					  "mac=52:54:00:12:34:5",
					  "mac=52:54:00:12:34:56:78",
					  "mac=52:54:00:12:34:567",
					  "mac=52-54-00-12-34-56",
					  "mac=52:54:00:12:34:5g",
					  "mac=525400123456",
					  "mac=:::::",
					  "mac=52:54:00:12:34:56 ",
					  "mac=5:54:00:12:34:56"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[80];
		snprintf(text, sizeof(text), "user,%s", bad[i]);
		CHECK_EQ(PARSE_NET("--net", text), -EINVAL);
		CHECK(strstr(line.err.msg, "is not a MAC address"));
	}
	CHECK_NET_REFUSED("--net user: mac=1 is not a MAC address; write six bytes, like "
			  "mac=52:54:00:12:34:56",
			  "--net", "user,mac=1");
	CHECK_NET_REFUSED("--net tap=t: mac=01:00:5e:00:00:01 is a group's address, as its first "
			  "byte is odd; a card needs one of its own, like mac=52:54:00:12:34:56",
			  "--net", "tap=t,mac=01:00:5e:00:00:01");
	CHECK_EQ(PARSE_NET("--net", "user,mac=ff:ff:ff:ff:ff:ff"), -EINVAL);
	CHECK_NET_REFUSED("--net user: mac=00:00:00:00:00:00 is nobody's address; without mac= the "
			  "card gets one",
			  "--net", "user,mac=00:00:00:00:00:00");
	CHECK_NET_REFUSED("two --net have the same mac=; each card needs its own", "--net",
			  "user,mac=52:54:00:12:34:5a", "--net", "none,mac=52:54:00:12:34:5A");
}

static void test_net_number_mistakes(void)
{
	static const char *const bad[] = {"mtu=67", "mtu=65536", "mtu=0",   "mtu=x",
					  "mtu=1k", "mtu=-1",	 "mtu=+70", "mtu=4294967396"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[80];
		snprintf(text, sizeof(text), "none,%s", bad[i]);
		CHECK_EQ(PARSE_NET("--net", text), -EINVAL);
		CHECK(strstr(line.err.msg, "is not a number of bytes from 68 to 65535"));
	}
	CHECK_NET_REFUSED("--net user: mtu=67 is not a number of bytes from 68 to 65535", "--net",
			  "user,mtu=67");
	CHECK_NET_REFUSED("--net tap: queues=9 is not a number from 1 to 8", "--net",
			  "tap,queues=9");
	CHECK_NET_REFUSED("--net tap: queues=0 is not a number from 1 to 8", "--net",
			  "tap,queues=0");
}

static void test_net_key_mistakes(void)
{
	CHECK_NET_REFUSED("--net user: 'ip=10.0.0.1' is unknown; mac=, mtu= and pcap= are known, "
			  "and for tap bridge=, queues= and vhost=off",
			  "--net", "user,ip=10.0.0.1");
	CHECK_EQ(PARSE_NET("--net", "user,bridge=br0"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "socket=s,queues=2"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "user,"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "user,,mtu=1500"), -EINVAL);
	CHECK_NET_REFUSED("--net user: 'hostfwd=tcp::2222-:22' is unknown; ports are forwarded "
			  "with --publish, such as --publish 8080:80",
			  "--net", "user,hostfwd=tcp::2222-:22");
	CHECK_NET_REFUSED("--net user: mtu needs a value, such as mtu=1500", "--net", "user,mtu");
	CHECK_NET_REFUSED("--net user: pcap needs a value, such as pcap=net.pcap", "--net",
			  "user,pcap=,mtu=1500");
	CHECK_NET_REFUSED("--net user: mtu= is given twice; leave one of the two out", "--net",
			  "user,mtu=1500,mtu=1400");
	CHECK_NET_REFUSED("--net tap: vhost=on is unknown; vhost=off keeps to tinyvm's own data "
			  "path, else /dev/vhost-net is used where it can be",
			  "--net", "tap,vhost=on");
}

static void test_net_interface_names(void)
{
	CHECK_EQ(PARSE_NET("--net", "tap=fifteen_letters,bridge=br-0123456789ab"), 0);
	CHECK_NET_REFUSED("--net tap=sixteen_letters_: tap=sixteen_letters_ is no interface's "
			  "name, which has at most 15 characters",
			  "--net", "tap=sixteen_letters_");
	CHECK_NET_REFUSED("--net tap: bridge= is no interface's name, which holds no blank, '/', "
			  "':' or '%'",
			  "--net", "tap,bridge=a b");
	CHECK_EQ(PARSE_NET("--net", "tap=tap%d"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "tap=a/b"), -EINVAL);
	CHECK_EQ(PARSE_NET("--net", "tap=a\nb"), -EINVAL);
}

static void test_net_shared_things(void)
{
	CHECK_NET_REFUSED("two --net have the same fd=; each card needs its own", "--net", "fd=5",
			  "--net", "user", "--net", "fd=5");
	CHECK_NET_REFUSED("two --net have the same tap=; each card needs its own", "--net", "tap=t",
			  "--net", "tap=t");
	CHECK_NET_REFUSED("two --net have the same pcap=; each card needs its own", "--net",
			  "user,pcap=p", "--net", "none,pcap=p");
	CHECK_EQ(
		PARSE_NET("--net", "socket=s", "--net", "socket=s", "--net", "tap", "--net", "tap"),
		0);
}

static void test_too_many_nets(void)
{
	CHECK_EQ(PARSE_NET("--net", "--net", "--net", "--net", "--net", "--net", "--net", "--net"),
		 0);
	CHECK_EQ(line.cfg.net_count, CONFIG_NET_MAX);
	CHECK_NET_REFUSED("there is room for 8 network cards, and --net is one more", "--net",
			  "--net", "--net", "--net", "--net", "--net", "--net", "--net", "--net");
	CHECK_NET_REFUSED("there is room for 8 network cards, and --net none is one more", "--net",
			  "--net", "--net", "--net", "--net", "--net", "--net", "--net", "--net",
			  "none");
}

static void test_publish(void)
{
	CHECK_EQ(PARSE_NET("--net", "-p", "8080:80", "-p0.0.0.0:53:5353/udp", "--publish",
			   "[::1]:65535:1/tcp", "--publish=[::]:8080:81"),
		 0);
	CHECK_EQ(line.cfg.forward_count, 4);
	CHECK(is_forward(0, "127.0.0.1", 8080, 80, false));
	CHECK(is_forward(1, "0.0.0.0", 53, 5353, true));
	CHECK(is_forward(2, "::1", 65535, 1, false));
	CHECK(is_forward(3, "::", 8080, 81, false));
}

static void test_publish_brings_a_user_net(void)
{
	CHECK_EQ(PARSE_NET("-vp", "2222:22"), 0);
	CHECK_EQ(line.cfg.net_count, 1);
	CHECK_EQ(net(0)->kind, CONFIG_NET_USER);
	CHECK_EQ(PARSE_NET("-p", "2222:22", "--net", "none", "--net", "user"), 0);
	CHECK_EQ(line.cfg.net_count, 2);
	CHECK_NET_REFUSED("--publish forwards ports to a card with --net user, and there is none; "
			  "add --net user, or leave --publish out",
			  "--net", "tap=t", "-p", "2222:22");
}

static void test_publish_bad_syntax(void)
{
	static const char *const bad[] = {
		"8080",	      ":",	     "8080:",	":80",	    "a:b",	"8080:80x", "-1:80",
		"8080: 80",   "[::1]",	     "[::1]:1", "[::1:1:2", "[::1]1:2", "[",	    "]",
		"1.2.3.4:80", "1.2.3.4::80", "+1:80",	"/udp",	    "[]",	"8080-80"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char sentence[200];
		snprintf(sentence, sizeof(sentence),
			 "--publish '%s' is not a forward; write [ADDRESS:]HOST:GUEST[/udp], like "
			 "8080:80 or [::1]:5353:53/udp",
			 bad[i]);
		CHECK_NET_REFUSED(sentence, "-p", bad[i]);
	}
}

static void test_publish_mistakes(void)
{
	CHECK_NET_REFUSED("--publish 0:80: there is no port 0; they are 1 to 65535", "-p", "0:80");
	CHECK_NET_REFUSED("--publish 80:65536: there is no port 65536; they are 1 to 65535", "-p",
			  "80:65536");
	CHECK_NET_REFUSED("--publish 4294967376:80: there is no port 4294967376; they are 1 to "
			  "65535",
			  "-p", "4294967376:80");
	CHECK_NET_REFUSED("--publish 1:2/sctp: '/sctp' is unknown; it ends in /udp or /tcp, and is "
			  "for TCP without",
			  "-p", "1:2/sctp");
	CHECK_NET_REFUSED("--publish localhost:1:2: 'localhost' is not an IPv4 address; names are "
			  "not looked up here",
			  "-p", "localhost:1:2");
	CHECK_NET_REFUSED("--publish [1.2.3.4]:1:2: '1.2.3.4' is not an IPv6 address; names are "
			  "not looked up here",
			  "-p", "[1.2.3.4]:1:2");
	CHECK_NET_REFUSED("--publish ::1:8080:80 has too many colons; an IPv6 address goes in "
			  "brackets, like [::1]:8080:80",
			  "-p", "::1:8080:80");
	CHECK_EQ(PARSE_NET("-p", "300.0.0.1:1:2"), -EINVAL);
	CHECK_EQ(PARSE_NET("-p", "127.1:1:2"), -EINVAL);
}

static void test_publish_twice_the_same_host_port(void)
{
	CHECK_NET_REFUSED("--publish is given TCP port 8080 of the host twice; it can lead to one "
			  "port of the guest only",
			  "-p", "8080:80", "-p", "8080:81");
	CHECK_NET_REFUSED("--publish is given UDP port 53 of the host twice; it can lead to one "
			  "port of the guest only",
			  "-p", "53:53/udp", "-p", "1.2.3.4:53:53", "-p", "0.0.0.0:53:53/udp");
	CHECK_EQ(PARSE_NET("-p", "[::1]:53:1", "-p", "[0:0:0:0:0:0:0:1]:53:2"), -EINVAL);
	CHECK_EQ(PARSE_NET("-p", "53:53/udp", "-p", "53:53/tcp", "-p", "[::]:53:53", "-p",
			   "127.0.0.2:53:53", "-p", "54:53"),
		 0);
}

static void test_too_many_forwards(void)
{
	const char *args[CONFIG_FORWARD_MAX + 4] = {"-kk"};
	char text[CONFIG_FORWARD_MAX + 1][16];

	for (unsigned i = 0; i <= CONFIG_FORWARD_MAX; i++)
		snprintf(text[i], sizeof(text[i]), "-p%u:80", 1000 + i);
	for (unsigned i = 0; i < CONFIG_FORWARD_MAX; i++)
		args[1 + i] = text[i];
	CHECK_EQ(parse_list(args), 0);
	CHECK_EQ(line.cfg.forward_count, CONFIG_FORWARD_MAX);
	args[1 + CONFIG_FORWARD_MAX] = text[CONFIG_FORWARD_MAX];
	CHECK_EQ(parse_list(args), -EINVAL);
	CHECK_STR(line.err.msg,
		  "there is room for 64 forwarded ports, and --publish 1064:80 is one more");
}

static void test_name(void)
{
	char name[66];

	memset(name, 'x', sizeof(name));
	name[65] = '\0';
	CHECK_EQ(PARSE_NET("--name", "Build_1.test-2"), 0);
	CHECK_STR(line.cfg.name, "Build_1.test-2");
	CHECK_EQ(PARSE_NET("--name", name + 1), 0);
	CHECK_NET_REFUSED("--name xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... has 65 characters, "
			  "not 1 to 64",
			  "--name", name);
	CHECK_NET_REFUSED("--name 'a b' may hold only letters, digits, '.', '_' and '-'", "--name",
			  "a b");
	CHECK_NET_REFUSED("--name is given twice; leave one of the two out", "--name", "a",
			  "--name", "b");
	CHECK_EQ(PARSE_NET("--name", "guest=a,debug-threads=on"), -EINVAL);
	CHECK_EQ(PARSE_NET("--name="), -EINVAL);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_net_alone_is_user),
		TEST_CASE(test_net_defaults),
		TEST_CASE(test_net_kinds_in_their_order),
		TEST_CASE(test_net_keys),
		TEST_CASE(test_net_kind_mistakes),
		TEST_CASE(test_net_fd_mistakes),
		TEST_CASE(test_net_mac_mistakes),
		TEST_CASE(test_net_number_mistakes),
		TEST_CASE(test_net_key_mistakes),
		TEST_CASE(test_net_interface_names),
		TEST_CASE(test_net_shared_things),
		TEST_CASE(test_too_many_nets),
		TEST_CASE(test_publish),
		TEST_CASE(test_publish_brings_a_user_net),
		TEST_CASE(test_publish_bad_syntax),
		TEST_CASE(test_publish_mistakes),
		TEST_CASE(test_publish_twice_the_same_host_port),
		TEST_CASE(test_too_many_forwards),
		TEST_CASE(test_name),
	};
	return TEST_RUN(cases);
}
