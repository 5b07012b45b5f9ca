/* Strict host:port texts. */
#ifndef TL_TRANSPORT_ADDRESS_H
#define TL_TRANSPORT_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <tidelock/types.h>

#define TL__HOST_MAX    253
#define TL__ADDRESS_MAX (TL__HOST_MAX + 6) /* host:port, without the NUL */

/* TL_OK when `text` is something to dial: a name, an IPv4 address or [IPv6], a colon and a port
 * from 1 to 65535 without leading zeros. Names are labels of letters, digits, `-` and `_`, the last
 * one not a number (so nothing is an address in disguise). Else TL_E_BAD_ADDRESS. Any thread. */
int tl__address_check(const char *text) TL_MUST_USE;

/* Reads "ip:port" to bind, port 0 = chosen by the system. TL_E_BAD_ADDRESS for anything else. */
int tl__address_bindable(
	const char *text, struct sockaddr_storage *out, socklen_t *len) TL_MUST_USE;

/* "203.0.113.9:51000", "[2001:db8::1]:80"; `out` holds TL__ADDRESS_MAX + 1. An IPv4 address mapped
 * into IPv6 is shown as IPv4. "?" for another family. */
void tl__address_format(const struct sockaddr *address, char *out);

#endif
