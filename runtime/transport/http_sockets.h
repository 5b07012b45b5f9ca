/* Descriptors that libcurl opens: all of them are closed by exec. */
#ifndef TL_TRANSPORT_HTTP_SOCKETS_H
#define TL_TRANSPORT_HTTP_SOCKETS_H

#include <curl/curl.h>

/* Where libcurl may open descriptors. While it does no thread forks, so no child comes into being
 * between their opening and what is done about them here. */
void tl__sockets_begin(void);
void tl__sockets_end(void);

/* A CURLOPT_OPENSOCKETFUNCTION. */
curl_socket_t tl__sockets_open(void *ud, curlsocktype purpose, struct curl_sockaddr *address);
/* A socket that libcurl asks to be watched: those of its resolver are pairs, made by itself. */
void tl__sockets_seen(curl_socket_t fd);
/* The pair by which a new multi handle is woken. */
void tl__sockets_of_multi(CURLM *multi);

#endif
