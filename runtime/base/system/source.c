#include "base/system/source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NET_BYTES 8 /* of an IPv6 address: a /64 */

/* Without its port, and without the brackets of an IPv6 address. */
static tl_str host_of(tl_str remote, bool *bracketed)
{
	size_t len = remote.len;

	while (len > 0 && remote.ptr[len - 1] != ':')
		len--;
	if (len > 0)
		remote.len = len - 1;
	*bracketed = remote.len >= 2 && remote.ptr[0] == '[' && remote.ptr[remote.len - 1] == ']';
	return *bracketed ? (tl_str){remote.ptr + 1, remote.len - 2} : remote;
}

static bool write_net(const char *host, char out[TL__SOURCE_LEN + 1])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned char ip[16];
	char net[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, host, ip) != 1)
		return false;
	if (memcmp(ip, mapped, sizeof mapped) == 0)
		return inet_ntop(AF_INET, ip + sizeof mapped, out, TL__SOURCE_LEN + 1) != NULL;
	memset(ip + NET_BYTES, 0, sizeof ip - NET_BYTES);
	if (!inet_ntop(AF_INET6, ip, net, sizeof net))
		return false;
	snprintf(out, TL__SOURCE_LEN + 1, "%s/64", net);
	return true;
}

void tl__source_of(tl_str remote, char out[TL__SOURCE_LEN + 1])
{
	bool bracketed;
	tl_str host = host_of(remote, &bracketed);
	size_t len = host.len < TL__SOURCE_LEN ? host.len : TL__SOURCE_LEN;
	char text[TL__SOURCE_LEN + 1];

	if (len > 0)
		memcpy(text, host.ptr, len);
	text[len] = '\0';
	if (!bracketed || !write_net(text, out))
		memcpy(out, text, len + 1);
}
