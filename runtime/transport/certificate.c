#include "transport/certificate.h"

#include <string.h>
#include <tidelock/crypto.h>
#include "base/buf.h"
#include "base/fail.h"

#define BEGIN_LINE "-----BEGIN CERTIFICATE-----"
#define END_LINE   "-----END CERTIFICATE-----"

/* The base64 text between the two lines, without its line ends. */
static int find_base64(const char *pem, tl__buf *out)
{
	const char *at = strstr(pem, BEGIN_LINE);
	const char *end = at ? strstr(at, END_LINE) : NULL;

	if (!end)
		return tl__fail(TL_E_TLS, "there is no certificate in PEM form in this text");
	for (at += strlen(BEGIN_LINE); at < end; at++)
		if (!strchr(" \t\r\n", *at))
			tl__buf_byte(out, (uint8_t)*at);
	return tl__buf_status(out);
}

static void write_channel(const uint8_t digest[32], char *out)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(out, "tls:", 4);
	for (size_t i = 0; i < 32; i++) {
		out[4 + 2 * i] = hex[digest[i] >> 4];
		out[5 + 2 * i] = hex[digest[i] & 15];
	}
	out[TL__CHANNEL_LEN] = '\0';
}

int tl__certificate_channel(const char *pem, char out[TL__CHANNEL_LEN + 1])
{
	tl__buf text = TL__BUF_INIT, der = TL__BUF_INIT;
	uint8_t digest[32];
	size_t len = 0;
	int rc = find_base64(pem, &text);

	if (rc == TL_OK && !tl__buf_reserve(&der, text.len))
		rc = tl__buf_status(&der);
	if (rc == TL_OK && tl_base64_decode(der.ptr, text.len, &len, tl__buf_view(&text)) != TL_OK)
		rc = tl__fail_cause(TL_E_TLS, "the certificate in PEM form is damaged");
	if (rc == TL_OK) {
		tl_sha256(der.ptr, len, digest);
		write_channel(digest, out);
	}
	tl__buf_free(&text);
	tl__buf_free(&der);
	return rc;
}
