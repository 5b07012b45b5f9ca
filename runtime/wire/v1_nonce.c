/* Nonces: which process of the requester, and the how many-th request of it to this responder. */
#include <string.h>
#include "wire/v1.h"

void tl__v1_nonce_write(uint8_t out[TL__V1_NONCE_BYTES],
	const uint8_t process[TL__V1_NONCE_PROCESS], uint64_t number)
{
	memcpy(out, process, TL__V1_NONCE_PROCESS);
	for (size_t i = TL__V1_NONCE_BYTES; i > TL__V1_NONCE_PROCESS; i--) {
		out[i - 1] = (uint8_t)number;
		number >>= 8;
	}
}

uint64_t tl__v1_nonce_number(const uint8_t nonce[TL__V1_NONCE_BYTES])
{
	uint64_t number = 0;

	for (size_t i = TL__V1_NONCE_PROCESS; i < TL__V1_NONCE_BYTES; i++)
		number = number << 8 | nonce[i];
	return number;
}
