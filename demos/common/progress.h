/* demos/common/progress.h: how far a long loop is: a bar that redraws itself on a terminal, and
 * nothing but the closing line elsewhere (a pipe, a file, TERM=dumb). NO_COLOR turns colours off.
 *
 *     progress p = progress_begin("epoch 1/10", 60000, "images");
 *     for (int64_t i = 0; i < 60000; i += 128) {
 *         ...
 *         progress_show(&p, i, "loss %.3f", loss);
 *     }
 *     progress_end(&p, "loss %.3f  test accuracy %.3f", loss, accuracy);
 *
 * The closing line is label, text, rate and time. Writes to stdout; keeps no global state. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *label, *unit;
    int64_t total;
    double begun, drawn; /* seconds of a steady clock */
    double paused;       /* when the counted work ended; 0: it has not */
    bool terminal, color, blocks;
} progress;

progress progress_begin(const char *label, int64_t total, const char *unit);
/* Redraws at most ten times a second. */
void progress_show(progress *p, int64_t done, const char *format, ...);
/* The counted work is done; what follows (an evaluation) does not count in rate and time. */
void progress_pause(progress *p);
/* Units per second, up to now or to the pause. */
double progress_rate(const progress *p);
void progress_end(progress *p, const char *format, ...);

#endif
