/* step/assets.c: gives the generated arrays their names. */
#include "step/assets.h"

#include "step/assets_gen.h"

const char *const gt__circuit_css = (const char *)circuit_css;
const char *const gt__page_css = (const char *)page_css;
const char *const gt__page_js = (const char *)page_js;
const char *const gt__engine_js = (const char *)engine_js;
const char *const gt__training_js = (const char *)training_js;
const char *const gt__walk_labels_js = (const char *)walk_labels_js;
const char *const gt__walk_state_js = (const char *)walk_state_js;
const char *const gt__walk_drawing_js = (const char *)walk_drawing_js;
const char *const gt__walk_panels_js = (const char *)walk_panels_js;
const char *const gt__walk_exercises_js = (const char *)walk_exercises_js;
const char *const gt__walk_js = (const char *)walk_js;
