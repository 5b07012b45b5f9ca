/* Address texts: strict, and one way to write each. */
#include <tidelock/sync.h>
#include "base/str.h"
#include "check.h"

static bool reads(const char *text, const char *shown)
{
	tl_address address;
	char out[530] = "";

	if (tl_address_parse(&address, tl__str_z(text)) != TL_OK)
		return shown == NULL && tl_error_code(tl_last_error()) == TL_E_BAD_ADDRESS;
	tl_address_format(&address, out);
	if (shown && strcmp(out, shown) != 0)
		printf("%s gave %s\n", text, out);
	return shown && strcmp(out, shown) == 0;
}

static void forms_that_are_read(void)
{
	CHECK(reads("192.168.1.7:8080", "http:192.168.1.7:8080"));
	CHECK(reads("http:192.168.1.7:8080", "http:192.168.1.7:8080"));
	CHECK(reads("http://host.example:1", "http:host.example:1"));
	CHECK(reads("https://host.example:443", "https:host.example:443"));
	CHECK(reads("https:[::1]:65535", "https:[::1]:65535"));
	CHECK(reads("localhost:80", "http:localhost:80"));
	CHECK(reads("http:80", "http:http:80"));
}

#define ID "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6"

/* Every form is read bare and with its type, and what is shown reads back the same. */
static void forms_of_iroh_that_are_read(void)
{
	static const char *const good[] = {ID, "iroh://" ID, "iroh://" ID "@relay.example.org",
		"iroh://" ID "@http://198.51.100.9:3340/",
		"endpointacxfr74igmsbvsbnn73wcecg5vt3kbzncqwfrdiampuufwnhkublmaibab7qaaab2ieq",
		"{\"node_id\":\"" ID "\"}",
		"{\"node_id\":\"" ID
		"\",\"direct_addresses\":[\"127.0.0.1:4000\",\"[2001:db8::1]:1\"]}",
		"{\"relay_url\":\"https://r.org/\",\"new\":{\"a\":[1]},\"node_id\":\"" ID "\"}"};
	char shown[530];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(shown, sizeof shown, "iroh:%s", good[i]);
		CHECK(reads(good[i], shown));
		CHECK(reads(shown, shown));
	}
}

static void forms_of_iroh_that_are_refused(void)
{
	static const char *const bad[] = {"iroh:", "iroh:abc", "iroh://", "iroh://abc",
		"iroh://" ID "@", "iroh://" ID "@a b", "iroh://" ID "x", "iroh:" ID "a",
		"iroh:g" ID, "iroh:endpointab", "{", "{}", "[]", "{\"node_id\":1}",
		"{\"node_id\":\"" ID "\"} x", "{\"node_id\":\"" ID "\",\"node_id\":\"" ID "\"}",
		"{\"node_id\":\"" ID "\",\"direct_addresses\":\"127.0.0.1:1\"}",
		"{\"node_id\":\"" ID "\",\"direct_addresses\":[\"127.0.0.1\"]}",
		"{\"node_id\":\"" ID "\",\"direct_addresses\":[1]}"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!reads(bad[i], NULL)) {
			printf("read: \"%s\"\n", bad[i]);
			FAIL_CASE("a bad address of Iroh was read");
		}
}

static void forms_that_are_refused(void)
{
	static const char *const bad[] = {"", ":", "host", "host:", ":80", "host:0", "host:65536",
		"host:080", "host:1/x", "http://host:1/", "http://u@host:1", "host:1?x", "a b:1",
		"http://host", "http:host", "http:host:", "http:", "https:host", "[::1:80", "[]:80",
		"https://", "UP:x\ny"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!reads(bad[i], NULL)) {
			printf("read: \"%s\"\n", bad[i]);
			FAIL_CASE("a bad address was read");
		}
}

static void texts_over_the_limit_are_refused(void)
{
	char text[700];

	memset(text, 'a', sizeof text - 1);
	memcpy(text + 256, ":80", 4);
	CHECK(reads(text, NULL));
	memset(text, 'a', sizeof text - 1);
	memcpy(text + 255, ":80", 4);
	{
		tl_address address;

		CHECK_OK(tl_address_http(&address, tl__str_z(text)));
	}
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	memcpy(text, "iroh:", 5);
	CHECK(reads(text, NULL));
}

int main(void)
{
	RUN(forms_that_are_read);
	RUN(forms_that_are_refused);
	RUN(forms_of_iroh_that_are_read);
	RUN(forms_of_iroh_that_are_refused);
	RUN(texts_over_the_limit_are_refused);
	return spec_end();
}
