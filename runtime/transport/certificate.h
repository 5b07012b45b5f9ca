/* The name of a TLS channel: what both sides can say about the server's certificate. */
#ifndef TL_TRANSPORT_CERTIFICATE_H
#define TL_TRANSPORT_CERTIFICATE_H

#include <tidelock/types.h>

#define TL__CHANNEL_LEN 68 /* "tls:" and 64 hex digits */

/* Writes "tls:" and the SHA-256 (lower-case hex) of the first certificate's DER form.
 * TL_E_TLS when the text holds no certificate, TL_E_NOMEM. */
int tl__certificate_channel(const char *pem, char out[TL__CHANNEL_LEN + 1]) TL_MUST_USE;

#endif
