/* With relays and lookup off an endpoint asks and publishes nothing anywhere: in a network of its
 * own, whose only way out counts packets. Needs the plugin and root. */
#include "iroh_help.h"
#include <sched.h>

#define QUIET_MS 4000

/* A network of this process's own, with a way out that leads nowhere. */
static bool leave_network(void)
{
	static const char *const steps[] = {
		"ip link set lo up",
		"ip link add up0 type veth peer name far0",
		/* The kernel's own questions would count too. */
		"echo 0 > /proc/sys/net/ipv6/conf/up0/accept_ra",
		"echo 0 > /proc/sys/net/ipv6/conf/up0/router_solicitations",
		"echo 1 > /proc/sys/net/ipv6/conf/far0/disable_ipv6",
		"ip link set far0 up",
		"ip address add 198.51.100.7/24 dev up0",
		"ip address add 2001:db8::7/64 dev up0 nodad",
		"ip link set up0 up",
		"ip route add default via 198.51.100.1",
	};

	if (unshare(CLONE_NEWNET) != 0)
		return false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (system(steps[i]) != 0) /* NOLINT(cert-env33-c): fixed words */
			return false;
	return true;
}

/* Packets that have gone out, or -1. */
static long packets_out(void)
{
	FILE *file = fopen("/proc/thread-self/net/dev", "re");
	char line[512];
	long packets = -1;

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, "up0:");
		char *word = at ? strtok(at + 4, " \n") : NULL;
		/* Eight numbers of what came in, then bytes and packets of what went out. */
		for (int i = 0; word && i < 9; i++)
			word = strtok(NULL, " \n");
		if (word)
			packets = strtol(word, NULL, 10);
	}
	if (file)
		fclose(file);
	return packets;
}

static long packets_of(struct end *end, uint32_t ms)
{
	uint64_t until = clock_ms() + ms;
	long before = packets_out();

	while (clock_ms() < until)
		turn(end, NULL);
	return before < 0 ? -1 : packets_out() - before;
}

static struct end one, other;

static void let_the_kernel_finish(void)
{
	long last = -1;

	for (int i = 0; i < 20 && last != packets_out(); i++) {
		last = packets_out();
		usleep(500000);
	}
}

static void a_relay_would_be_seen(void)
{
	tl_iroh_relay relay = {.url = "http://198.51.100.9:3340"};
	tl_iroh_options options = {.size = sizeof(options),
		.bind = "*",
		.relay_mode = TL_IROH_RELAY_LIST,
		.relays = &relay,
		.relay_count = 1};

	let_the_kernel_finish();
	long before = packets_out();
	REQUIRE(end_open(&one, SILENT, &options));
	packets_of(&one, QUIET_MS);
	CHECK(before >= 0 && packets_out() > before);
	end_free(&one);
}

static void without_relays_and_lookup_nothing_goes_out(void)
{
	tl_iroh_options options = {.size = sizeof(options), .bind = "*"};

	let_the_kernel_finish();
	long before = packets_out();
	REQUIRE(end_open(&one, SILENT, &options));
	CHECK(packets_of(&one, QUIET_MS) == 0);

	/* Nor when an id is dialled that nobody knows. */
	char id[65];
	size_t size = sizeof(id);
	REQUIRE(end_open(&other, SILENT, NULL));
	CHECK(iroh->convert(other.address, strlen(other.address), TL_IROH_FORM_ID, id, &size, NULL,
		      0) == TL_IROH_OK);
	CHECK(dial(&one, NULL, id) == 0);
	CHECK(packets_out() == before && before >= 0);
	end_free(&other);
	end_free(&one);
}

int main(void)
{
	const bool is_there = iroh_load() && geteuid() == 0 && leave_network();

	RUN_IF(is_there, a_relay_would_be_seen);
	RUN_IF(is_there, without_relays_and_lookup_nothing_goes_out);
	return spec_end();
}
