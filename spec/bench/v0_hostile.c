/* What strangers ask for in the words of 0.2.0. */
#include "base/str.h"
#include "hostile.h"
#include "v0/wire/v0.h"

static void write_handshake(hostile *h, size_t i, tl__buf *out)
{
	static const char challenge[TL__V0_CHALLENGE_BYTES];
	tl_str key = tl__str_z(h->strangers[i % STRANGERS].text);
	tl__v0_handshake_request handshake = {
		.device_id = key, .public_key = key, .challenge = {challenge, sizeof challenge}};
	tl__buf document = TL__BUF_INIT;

	tl__v0_write_handshake_request(&document, &handshake);
	bare_post(out, TL__V0_PATH, TL__V0_CONTENT_TYPE, tl__buf_view(&document));
	tl__buf_free(&document);
}

static void write_walk(hostile *h, size_t i, tl__buf *out)
{
	char tree[TL_ID_TEXT_LEN + 1], old[TL_ID_TEXT_LEN + 1];
	tl_str tip = {old, TL_ID_TEXT_LEN};
	tl__v0_sync_tree ask = {.our_tips = &tip, .tip_count = 1};
	tl__buf document = TL__BUF_INIT;

	(void)i;
	tl_id_format(&h->db, tree);
	tl_id_format(&h->old, old);
	ask.tree_id = tl__str_z(tree);
	tip = tl__str_z(old);
	tl__v0_write_sync_tree(&document, &ask);
	bare_post(out, TL__V0_PATH, TL__V0_CONTENT_TYPE, tl__buf_view(&document));
	tl__buf_free(&document);
}

const attack v0_attacks[] = {
	{"handshake", flood_begin, flood_step, flood_end, 200, write_handshake, NULL},
	{"v0_walk", flood_begin, flood_step, flood_end, 200, write_walk, NULL},
};
const size_t v0_attack_count = sizeof v0_attacks / sizeof *v0_attacks;
