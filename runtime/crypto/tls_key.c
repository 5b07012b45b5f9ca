#include <tidelock/crypto.h>

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "base/fail.h"

/* Keys under a passphrase are not asked for one: nobody may be there to answer. */
static int no_passphrase(char *out, int cap, int rwflag, void *ud)
{
	(void)out;
	(void)cap;
	(void)rwflag;
	(void)ud;
	return -1;
}

static X509 *read_certificate(tl_str pem)
{
	BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *read_key(tl_str pem)
{
	BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return key;
}

int tl_tls_key_check(tl_str certificate_pem, tl_str key_pem)
{
	X509 *certificate = read_certificate(certificate_pem);
	EVP_PKEY *key = read_key(key_pem);
	int rc = TL_OK;

	if (!certificate)
		rc = tl__fail(TL_E_TLS, "the certificate file holds no certificate in PEM form");
	else if (!key)
		rc = tl__fail(TL_E_TLS,
			"the key file holds no key in PEM form that can be read without a "
			"passphrase");
	else if (X509_check_private_key(certificate, key) != 1)
		rc = tl__fail(TL_E_TLS, "the key does not belong to the certificate");
	X509_free(certificate);
	EVP_PKEY_free(key); /* which wipes it */
	ERR_clear_error();
	return rc;
}
