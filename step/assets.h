/* step/assets.h: the texts that pages and drawings carry with them; see step/embed.cmake. */
#ifndef GT_STEP_ASSETS_H
#define GT_STEP_ASSETS_H

extern const char *const gt__circuit_css, *const gt__page_css;
extern const char *const gt__page_js, *const gt__engine_js, *const gt__training_js;
extern const char *const gt__walk_labels_js,
    *const gt__walk_state_js, *const gt__walk_drawing_js, *const gt__walk_panels_js,
                                                              *const gt__walk_exercises_js,
                                                                  *const gt__walk_js;

#endif
