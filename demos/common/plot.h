/* demos/common/plot.h: pictures of data as SVG files: curves, points and coloured regions.
 *
 * A picture is plain data: fill in the structs, write the file. One picture holds panels side by
 * side; a panel holds series over one pair of axes. Colours follow the reader's light or dark
 * setting.
 *
 *     const double epoch[] = {1, 2, 3}, loss[] = {0.9, 0.5, 0.4};
 *     const plot_series curve = {.label = "training", .x = epoch, .y = loss, .count = 3};
 *     const plot_panel panel = {.title = "Loss", .x_label = "epoch", .series = &curve, .n_series = 1};
 *     if (!plot_write(&(plot){.title = "A training", .panel = &panel, .n_panels = 1}, "loss.svg"))
 *         perror("loss.svg");
 *
 * A new kind of mark (bars, areas) is one more value of plot_mark and one more function in
 * plot.c. */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>

enum { PLOT_COLORS = 6 };

typedef enum plot_mark { PLOT_LINE, PLOT_DASHED, PLOT_POINTS } plot_mark;

/* Points that are not finite are left out: a line has a gap there. */
typedef struct plot_series {
    const char *label; /* NULL: not in the legend */
    plot_mark mark;
    int color; /* 0 to PLOT_COLORS - 1 */
    const double *x, *y;
    int count;
} plot_series;

/* A raster behind the series, stretched over the panel: row 0 on top. */
typedef struct plot_regions {
    int columns, rows;
    const unsigned char *color; /* rows * columns of them */
} plot_regions;

/* Ends of an axis. Both 0: the series' own range, widened to round numbers for y. */
typedef struct plot_range {
    double low, high;
} plot_range;

typedef struct plot_panel {
    const char *title, *x_label, *y_label;
    plot_range x, y;
    bool percent;   /* y values are fractions, shown in per cent */
    bool no_values; /* does not write the last value at the end of each line */
    const plot_series *series;
    int n_series;
    const plot_regions *regions; /* may be NULL; asks for both ranges */
} plot_panel;

typedef struct plot {
    const char *title, *subtitle; /* may be NULL */
    int width, height;            /* 0: 480 for each panel, and 440 */
    const plot_panel *panel;
    int n_panels;
} plot;

/* False when the file cannot be written: errno says why. */
bool plot_write(const plot *picture, const char *path);

#endif
