/* demos/common/plot.h: pictures of data as SVG files: curves, points, paths, bars, filled shapes
 * and coloured regions.
 *
 * A picture is plain data: fill in the structs, write the file. One picture holds panels in
 * rows; a panel holds series over one pair of axes. Colours follow the reader's light or dark
 * setting.
 *
 *     const double epoch[] = {1, 2, 3}, loss[] = {0.9, 0.5, 0.4};
 *     const plot_series curve = {.label = "training", .x = epoch, .y = loss, .count = 3};
 *     const plot_panel panel = {.title = "Loss", .x_label = "epoch", .series = &curve, .n_series = 1};
 *     if (!plot_write(&(plot){.title = "A training", .panel = &panel, .n_panels = 1}, "loss.svg"))
 *         perror("loss.svg");
 *
 * A new kind of mark is one more value of plot_mark and one more function in plot.c. */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>

enum { PLOT_COLORS = 6, PLOT_EMPTY = 255 };

typedef enum plot_mark {
    PLOT_LINE,
    PLOT_DASHED,
    PLOT_POINTS,
    PLOT_ARROWS, /* a path, its direction shown on every step that is long enough */
    PLOT_SHAPE,  /* a line with the inside of its closed path filled: histograms, boxes */
    PLOT_BARS    /* from the foot of the panel; those of several series stand in groups */
} plot_mark;

/* Points that are not finite are left out: a line has a gap there. */
typedef struct plot_series {
    const char *label; /* NULL: not in the legend */
    plot_mark mark;
    int color; /* 0 to PLOT_COLORS - 1 */
    const double *x, *y;
    int count;
} plot_series;

/* A text at a point of the panel, or right of it, in one of the colours of series. */
typedef struct plot_note {
    double x, y;
    int color;
    const char *text;
} plot_note;

/* A raster behind the series, stretched over the panel: row 0 on top. */
typedef struct plot_regions {
    int columns, rows;
    const unsigned char *color; /* rows * columns of them; PLOT_EMPTY: paper */
} plot_regions;

/* Ends of an axis. Both 0: the series' own range, widened to round numbers for y. */
typedef struct plot_range {
    double low, high;
} plot_range;

typedef struct plot_panel {
    const char *title, *x_label, *y_label;
    plot_range x, y;
    bool log_x, log_y; /* positive values, ticks at powers of ten */
    bool percent;      /* y values are fractions, shown in per cent */
    bool no_values;    /* does not mark the last point of each line with its value */
    const plot_series *series;
    int n_series;
    const plot_regions *regions; /* may be NULL; asks for both ranges */
    const plot_note *notes;
    int n_notes;
} plot_panel;

typedef struct plot {
    const char *title, *subtitle; /* may be NULL */
    int width, height;            /* 0: 480 for each panel of a row, 440 for one row */
    const plot_panel *panel;
    int n_panels, columns; /* columns: panels in a row, 0: all of them */
} plot;

/* A histogram as a PLOT_SHAPE of bins + 2 points, which stands on foot and is high at its
 * highest bin. Zeros are left out: relu makes so many that nothing else would be seen. */
void plot_histogram(const double *values, int count, plot_range range, int bins, double foot,
                    double high, double *x, double *y);

/* False when the file cannot be written: errno says why. */
bool plot_write(const plot *picture, const char *path);

#endif
