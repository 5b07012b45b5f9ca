/* Opening a node as its users see it: with the control socket, which calls its public functions. */
#include "base/fail.h"
#include "control/control_server.h"

/* Without the control socket the node works all the same (not every file system has sockets). */
static void open_control(tl_node *node)
{
	if (!node->path)
		return;
	node->control_end = tl__control_close;
	if (tl__control_open(&node->control, node) != TL_OK)
		tl__log_write(&node->log, TL_LOG_WARNING, "control", "%s",
			tl_error_message(tl_last_error()));
}

int tl_node_open(tl_node **out, const tl_node_config *config)
{
	tl__errors errors;
	int rc;

	if (!out)
		return tl__fail_needs("tl_node_open", "out");
	*out = NULL;
	tl__errors_begin(&errors);
	rc = tl__node_open(out, config);
	if (rc == TL_OK)
		open_control(*out);
	return tl__errors_end(&errors, rc);
}
