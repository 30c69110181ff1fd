/* step/page.h: what the pages share: the frame of one self-contained file. */
#ifndef GT_STEP_PAGE_H
#define GT_STEP_PAGE_H

#include "step/step.h"

/* Up to where the body's own part begins, and from the data on: the data's JSON is written between. */
void gt__page_begin(const gt_page_options *options, const char *const *styles, FILE *out);
void gt__page_data(FILE *out);
/* The scripts run in order; the list ends with NULL. */
void gt__page_end(const char *const *scripts, FILE *out);

#endif
