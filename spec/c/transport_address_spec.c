/* The small parts of the transport: strict addresses, pace, names of certificates. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "check.h"
#include "transport/address.h"
#include "transport/certificate.h"
#include "transport/pace.h"

static void addresses_to_dial(void)
{
	static const char *const good[] = {"127.0.0.1:1", "192.0.2.7:65535", "localhost:8080",
		"peer.example:80", "a:1", "a-b.c_d:9", "xn--bcher-kva.example:443", "[::1]:80",
		"[2001:db8::1]:8080", "[::ffff:192.0.2.1]:80", "4chan.example:80", "3com:1"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK_OK(tl__address_check(good[i]));
}

static void what_is_no_address(void)
{
	static const char *const bad[] = {"", ":", ":80", "a", "a:", "a:0", "a:00", "a:080",
		"a:65536", "a:99999", "a:100000", "a:-1", "a:+1", "a: 1", "a:1 ", " a:1", "a:1\n",
		"a:0x50", "a:8o", "http://a:1", "https://a:1", "a:1/", "a:1/path", "a/b:1",
		"user@a:1", "user:pw@a:1", "a:1?x", "a:1#x", "a b:1", "a\tb:1", "a\x01:1",
		"a\x7f:1", "\xc3\xbc.example:1", "a..b:1", ".a:1", "a.:1", "-a:1", "a-:1", "a%20:1",
		"::1:80", "[::1]", "[::1]:", "[::1]:0", "[::1", "::1]:80", "[::1]80", "[]:80",
		"[127.0.0.1]:80", "[::1%eth0]:80", "[g::1]:80", "[::1]]:80", "[[::1]]:80",
		"1.2.3:80", "256.1.1.1:80", "1.2.3.4.5:80", "010.0.0.1:80", "2130706433:80",
		"0x7f000001:80", "0x7f.0.0.1:80", "a.0x7f:80", "1:80", "{\"node_id\":1}", "*:80",
		"a,b:80", "a;b:80", "a\\b:80", "0.0.0.0:80", "[::]:80", "[0:0::0]:80"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int rc = tl__address_check(bad[i]);

		if (rc != TL_E_BAD_ADDRESS)
			printf("# \"%s\" was taken\n", bad[i]);
		CHECK(rc == TL_E_BAD_ADDRESS);
	}
	CHECK_CODE(tl__address_check(NULL), TL_E_BAD_ADDRESS);
}

static void names_and_labels_have_a_length(void)
{
	char name[TL__HOST_MAX + 1 + 6 + 1], label[64 + 3];

	memset(label, 'a', sizeof label);
	memcpy(label + 63, ":1", 3);
	CHECK_OK(tl__address_check(label));
	label[63] = 'a';
	memcpy(label + 64, ":1", 3);
	CHECK_CODE(tl__address_check(label), TL_E_BAD_ADDRESS);
	for (size_t i = 0; i < TL__HOST_MAX + 1; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	memcpy(name + TL__HOST_MAX, ":65535", 7);
	CHECK_OK(tl__address_check(name));
	name[TL__HOST_MAX] = 'a';
	memcpy(name + TL__HOST_MAX + 1, ":1", 3);
	CHECK_CODE(tl__address_check(name), TL_E_BAD_ADDRESS);
}

static void addresses_to_bind_and_their_text(void)
{
	static const char *const same[] = {
		"127.0.0.1:8080", "0.0.0.0:1", "[::1]:65535", "[2001:db8::1]:80", "127.0.0.1:0"};
	struct sockaddr_storage address;
	char text[TL__ADDRESS_MAX + 1];
	socklen_t len;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		CHECK_OK(tl__address_bindable(same[i], &address, &len));
		tl__address_format((struct sockaddr *)&address, text);
		CHECK(strcmp(text, same[i]) == 0);
	}
	CHECK_CODE(tl__address_bindable("localhost:1", &address, &len), TL_E_BAD_ADDRESS);
	CHECK_CODE(tl__address_bindable(NULL, &address, &len), TL_E_BAD_ADDRESS);
	CHECK_OK(tl__address_bindable("[::ffff:192.0.2.1]:80", &address, &len));
	tl__address_format((struct sockaddr *)&address, text);
	CHECK(strcmp(text, "192.0.2.1:80") == 0);
	address.ss_family = AF_UNIX;
	tl__address_format((struct sockaddr *)&address, text);
	CHECK(strcmp(text, "?") == 0);
}

/* --- pace ------------------------------------------------------------------------------------- */

static void silence_is_limited_from_the_start(void)
{
	tl__pace pace;

	tl__pace_start(&pace, 1000);
	CHECK(tl__pace_look(&pace, 1999, 1000, 10) == TL__PACE_GOOD);
	CHECK(tl__pace_look(&pace, 2000, 1000, 10) == TL__PACE_SILENT);
	tl__pace_moved(&pace, 2000, 0);
	CHECK(tl__pace_look(&pace, 2999, 1000, 10) == TL__PACE_GOOD);
	CHECK(tl__pace_look(&pace, 3000, 1000, 10) == TL__PACE_SILENT);
}

static void the_rate_is_measured_from_the_first_byte_in_windows(void)
{
	tl__pace pace;

	tl__pace_start(&pace, 0);
	tl__pace_moved(&pace, 900, 1); /* thinking before the first byte does not count */
	tl__pace_moved(&pace, 1850, 8);
	CHECK(tl__pace_look(&pace, 1899, 1000, 10) == TL__PACE_GOOD);
	CHECK(tl__pace_look(&pace, 1900, 1000, 10) == TL__PACE_SLOW);
	tl__pace_moved(&pace, 1900, 1);
	CHECK(tl__pace_look(&pace, 1900, 1000, 10) == TL__PACE_GOOD);
	/* A fast first window does not pay for a slow second one. */
	tl__pace_moved(&pace, 2000, 1);
	tl__pace_moved(&pace, 2880, 1);
	CHECK(tl__pace_look(&pace, 2899, 1000, 10) == TL__PACE_GOOD);
	CHECK(tl__pace_look(&pace, 2900, 1000, 10) == TL__PACE_SLOW);
}

static void held_time_counts_for_neither(void)
{
	tl__pace pace;

	tl__pace_start(&pace, 0);
	tl__pace_moved(&pace, 0, 10);
	tl__pace_hold(&pace, 500);
	tl__pace_hold(&pace, 700);
	CHECK(tl__pace_look(&pace, 90000, 1000, 10) == TL__PACE_GOOD);
	tl__pace_release(&pace, 100500);
	tl__pace_release(&pace, 100600);
	CHECK(tl__pace_look(&pace, 100999, 1000, 10) == TL__PACE_GOOD);
	CHECK(tl__pace_look(&pace, 101000, 1000, 10) == TL__PACE_SILENT);
}

static void sweeps_are_neither_rare_nor_mad(void)
{
	CHECK(tl__pace_sweep_ms(30000) == 1000 && tl__pace_sweep_ms(400) == 100);
	CHECK(tl__pace_sweep_ms(1) == 10);
	CHECK(!tl__pace_stalled(1000, 1000, 100) && !tl__pace_stalled(1000, 1100, 100));
	CHECK(tl__pace_stalled(1000, 1101, 100));
}

/* --- certificates ----------------------------------------------------------------------------- */

static void a_channel_is_the_hash_of_the_first_certificate(void)
{
	char channel[TL__CHANNEL_LEN + 1];
	const char *abc = "some text\n-----BEGIN CERTIFICATE-----\nYW\r\n Jj\n"
			  "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nAAAA\n"
			  "-----END CERTIFICATE-----\n";

	CHECK_OK(tl__certificate_channel(abc, channel));
	CHECK(strcmp(channel,
		      "tls:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
	CHECK_CODE(tl__certificate_channel("", channel), TL_E_TLS);
	CHECK_CODE(tl__certificate_channel("-----BEGIN CERTIFICATE-----\nAAAA", channel), TL_E_TLS);
	CHECK_CODE(tl__certificate_channel(
			   "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----", channel),
		TL_E_TLS);
}

int main(void)
{
	RUN(addresses_to_dial);
	RUN(what_is_no_address);
	RUN(names_and_labels_have_a_length);
	RUN(addresses_to_bind_and_their_text);
	RUN(silence_is_limited_from_the_start);
	RUN(the_rate_is_measured_from_the_first_byte_in_windows);
	RUN(held_time_counts_for_neither);
	RUN(sweeps_are_neither_rare_nor_mad);
	RUN(a_channel_is_the_hash_of_the_first_certificate);
	return spec_end();
}
