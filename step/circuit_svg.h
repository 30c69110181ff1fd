/* step/circuit_svg.h: a picture as SVG: each gate with its value above the wire that leaves it and its gradient below. */
#ifndef GT_CIRCUIT_SVG_H
#define GT_CIRCUIT_SVG_H

#include "step/picture.h"

/* The circuit with the insides of closed parts, which a script may open (in_page), or without them. */
void gt__draw_circuit(const gt__picture *p, bool in_page, FILE *out);
/* The insides of groups, each in a template of its own: a page draws one when it is opened. */
void gt__draw_groups(const gt__picture *p, FILE *out);
/* Text for XML and HTML: markup escaped, bytes that are no UTF-8 and control characters replaced. */
void gt__xml_text(const char *text, FILE *out);

#endif
