/* An Iroh plugin of another version: a library by itself, which transport_iroh_spec loads. */
#include "../../bindings/iroh/tidelock_iroh.h"

const tl_iroh_calls *tl_iroh_plugin(void);

const tl_iroh_calls *tl_iroh_plugin(void)
{
	static const tl_iroh_calls calls = {TL_IROH_ABI + 1, sizeof(tl_iroh_calls), "another one",
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL};

	return &calls;
}
