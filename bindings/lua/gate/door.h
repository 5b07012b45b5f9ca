/* A door before a node that is being opened: whoever commits waits until the hook files are loaded.
 */
#ifndef TL_LUA_DOOR_H
#define TL_LUA_DOOR_H

#include <stdbool.h>
#include <tidelock/ext.h>

typedef struct tlua_door tlua_door;

tlua_door *tlua_door_new(void); /* closed; NULL without memory */
/* For tl_node_config; its drop gives back a reference that is made here. */
tl_hook tlua_door_for_node(tlua_door *door);
/* From now on everybody passes, or nobody does. */
void tlua_door_open(tlua_door *door, bool passes);
void tlua_door_release(tlua_door *door); /* NULL is fine */

#endif
