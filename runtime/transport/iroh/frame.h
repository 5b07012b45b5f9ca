/* Heads of requests and answers on a stream of "tidelock/1":
 *
 *   request: u8 length of the path, path, u8 length of the content type, content type, body
 *   answer:  u16 status (big-endian), u8 length of the content type, content type, body
 *
 * The body ends with the stream. Streams of "eidetica/v0" have no heads: the body is all. */
#ifndef TL_TRANSPORT_IROH_FRAME_H
#define TL_TRANSPORT_IROH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tidelock/types.h>

#define TL__FRAME_MAX_TEXT 255 /* bytes of a path or a content type */
#define TL__FRAME_MAX_HEAD (2 + 2 * TL__FRAME_MAX_TEXT)

/* Bytes that the head has in all, as far as `len` bytes of it tell: it is complete when they are
 * not more than `len`. Never more than TL__FRAME_MAX_HEAD. */
size_t tl__iroh_frame_request_need(const uint8_t *head, size_t len);
size_t tl__iroh_frame_answer_need(const uint8_t *head, size_t len);

/* Write a head into `out`, which has room for TL__FRAME_MAX_HEAD; its length. Texts have been
 * checked: at most TL__FRAME_MAX_TEXT bytes; the type may be NULL. */
size_t tl__iroh_frame_request_write(uint8_t *out, const char *path, const char *type);
size_t tl__iroh_frame_answer_write(uint8_t *out, int status, const char *type);

/* Read a complete head; what they give points into it. False: it is none. */
bool tl__iroh_frame_request_read(const uint8_t *head, tl_str *path, tl_str *type);
bool tl__iroh_frame_answer_read(const uint8_t *head, int *status, tl_str *type);

/* Whether a path may stand in a head: printable, begins with "/". */
bool tl__iroh_frame_path_valid(tl_str path);
bool tl__iroh_frame_type_valid(tl_str type);

#endif
