/* In the stead of v0_hostile.c, for a build that does not speak 0.2.0. */
#include "hostile.h"

const attack v0_attacks[1];
const size_t v0_attack_count;
