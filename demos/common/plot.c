/* demos/common/plot.c: writes the SVG text of a plot, part by part, straight into the file. */
#include "common/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 82, PANEL_HEAD = 46, FOOT = 58, LEFT = 62, TICKS = 6, MOST_ENDS = 16 };
enum { RIGHT = 26, VALUES = 40 }; /* margin, and what text beside the panel needs more */

/* One panel's axes: the rectangle, and the data ranges that fill it (their logarithms, on such
 * axes). */
typedef struct frame {
    plot_range x, y;
    bool log_x, log_y;
    double left, right, top, bottom;
} frame;

static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',"
    "sans-serif;font-size:12px;fill:#5b6475}\n"
    ".paper{fill:#ffffff}.title{font-size:18px;font-weight:600;fill:#1b2130}\n"
    ".panel{font-size:13px;font-weight:600;fill:#1b2130}.value{font-weight:600;"
    "stroke:#ffffff;stroke-width:3;stroke-linejoin:round;paint-order:stroke}\n"
    ".grid{stroke:#e6e9ef;stroke-width:1}.axis{stroke:#9aa3b2;stroke-width:1}\n"
    ".line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}\n"
    ".thin{stroke-width:1.4}.shape{stroke-width:1.5;fill-opacity:.35;stroke-linejoin:round}\n"
    ".dashed{stroke-dasharray:1 "
    "5;stroke-width:1.8}.dot{stroke:#ffffff;stroke-width:1}.area{fill-opacity:.2}\n"
    ".s0{stroke:#2563c9}.s1{stroke:#d9622b}.s2{stroke:#1f8a5f}.s3{stroke:#8250c4}.s4{stroke:#"
    "c2344f}"
    ".s5{stroke:#0f8b99}\n"
    ".f0{fill:#2563c9}.f1{fill:#d9622b}.f2{fill:#1f8a5f}.f3{fill:#8250c4}.f4{fill:#c2344f}"
    ".f5{fill:#0f8b99}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#9da7ba}.paper{fill:#12161f}.title,.panel{fill:#eef1f6}\n"
    ".grid{stroke:#252c39}.axis{stroke:#566074}.dot,.value{stroke:#12161f}.area{fill-opacity:.28}\n"
    ".s0{stroke:#6ea3ff}.s1{stroke:#ff9a66}.s2{stroke:#56c99a}.s3{stroke:#b890f5}.s4{stroke:#"
    "f27a90}"
    ".s5{stroke:#4fcbd8}\n"
    ".f0{fill:#6ea3ff}.f1{fill:#ff9a66}.f2{fill:#56c99a}.f3{fill:#b890f5}.f4{fill:#f27a90}"
    ".f5{fill:#4fcbd8}\n"
    "}\n"
    "</style>\n";

static int color_of(int color) { return color >= 0 ? color % PLOT_COLORS : 0; }

static void escaped(FILE *out, const char *s) {
    for (; s && *s; s++) {
        switch (*s) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default: fputc(*s, out);
        }
    }
}

static void text(FILE *out, double x, double y, const char *class, const char *anchor,
                 const char *s) {
    if (!s || !*s) return;
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class,
            anchor);
    escaped(out, s);
    fputs("</text>\n", out);
}

static void rule(FILE *out, const char *class, double x1, double y1, double x2, double y2) {
    fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
            x1, y1, x2, y2);
}

/* ---- axes ------------------------------------------------------------------------------------ */

static double scaled(double value, bool log) { return log ? log10(value) : value; }

static double x_place(const frame *f, double x) {
    const double part = (scaled(x, f->log_x) - f->x.low) / (f->x.high - f->x.low);
    return f->left + part * (f->right - f->left);
}
static double y_place(const frame *f, double y) {
    const double part = (scaled(y, f->log_y) - f->y.low) / (f->y.high - f->y.low);
    return f->bottom - part * (f->bottom - f->top);
}

/* 1, 2 or 5 times a power of ten, for at most about TICKS steps. */
static double round_step(plot_range r) {
    const double rough = (r.high - r.low) / TICKS;
    const double power = pow(10, floor(log10(rough)));
    const double lead = rough / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

/* Steps between ticks: whole powers of ten on a logarithmic axis. */
static double tick_step(plot_range r, bool log) {
    return log ? fmax(1, round_step(r)) : round_step(r);
}

static plot_range data_range(const plot_panel *p, bool of_x, bool log) {
    plot_range r = {HUGE_VAL, -HUGE_VAL};
    for (int s = 0; s < p->n_series; s++) {
        const double *v = of_x ? p->series[s].x : p->series[s].y;
        const double beside = of_x && p->series[s].mark == PLOT_BARS ? 0.5 : 0; /* half a group */
        for (int i = 0; i < p->series[s].count; i++) {
            const double at = scaled(v[i], log);
            if (!isfinite(at)) continue;
            r.low = fmin(r.low, at - beside);
            r.high = fmax(r.high, at + beside);
        }
    }
    if (!(r.low <= r.high)) return (plot_range){0, 1};
    if (r.low == r.high) return (plot_range){r.low - 0.5, r.high + 0.5};
    return r;
}

static plot_range axis_range(const plot_panel *p, bool of_x) {
    const plot_range asked = of_x ? p->x : p->y;
    const bool log = of_x ? p->log_x : p->log_y;
    if (asked.low < asked.high) {
        return (plot_range){scaled(asked.low, log), scaled(asked.high, log)};
    }
    plot_range r = data_range(p, of_x, log);
    for (int again = 0; !of_x && again < 2; again++) { /* a wider range may want a wider step */
        const double step = tick_step(r, log);
        r.low = step * floor(r.low / step + 1e-9);
        r.high = step * ceil(r.high / step - 1e-9);
    }
    return r;
}

/* Does something stand right of the panel: the values of lines, or notes placed there? */
static bool needs_room(const plot_panel *p, plot_range x) {
    for (int k = 0; k < p->n_series && !p->no_values; k++) {
        if (p->series[k].mark == PLOT_LINE || p->series[k].mark == PLOT_DASHED) return true;
    }
    for (int i = 0; i < p->n_notes; i++) {
        if (scaled(p->notes[i].x, p->log_x) > x.high) return true;
    }
    return false;
}

static frame make_frame(const plot_panel *p, double left, double right, double top, double bottom) {
    const plot_range x = axis_range(p, true);
    return (frame){.x = x,
                   .y = axis_range(p, false),
                   .log_x = p->log_x,
                   .log_y = p->log_y,
                   .left = left,
                   .right = right - (needs_room(p, x) ? VALUES : 0),
                   .top = top,
                   .bottom = bottom};
}

/* As many decimals as neighbouring ticks need, and `more`. */
static void number(char *buffer, size_t size, double value, double step, bool percent, int more) {
    if (percent) {
        value *= 100;
        step *= 100;
    }
    const int needed = (int)ceil(-log10(step) - 1e-9);
    if (fabs(value) < step * 1e-6) value = 0; /* not -0 */
    snprintf(buffer, size, percent ? "%.*f %%" : "%.*f", (needed > 0 ? needed : 0) + more, value);
}

/* 10 to a whole power, with the power raised. */
static void power_of_ten(char *buffer, size_t size, double power) {
    static const char *const digit[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    const int n = (int)fabs(power);
    snprintf(buffer, size, "10%s%s%s", power < 0 ? "⁻" : "", n > 9 ? digit[n / 10 % 10] : "",
             digit[n % 10]);
}

static void draw_ticks(FILE *out, const plot_panel *p, const frame *f, bool of_x) {
    const plot_range r = of_x ? f->x : f->y;
    const bool log = of_x ? p->log_x : p->log_y;
    const double step = tick_step(r, log);
    char label[64];
    for (double k = ceil(r.low / step - 1e-9); k * step <= r.high + step * 1e-9; k++) {
        const double part = (k * step - r.low) / (r.high - r.low);
        if (log)
            power_of_ten(label, sizeof label, k * step);
        else
            number(label, sizeof label, k * step, step, !of_x && p->percent, 0);
        if (of_x) {
            const double x = f->left + part * (f->right - f->left);
            rule(out, "axis", x, f->bottom, x, f->bottom + 4);
            text(out, x, f->bottom + 19, "tick", "middle", label);
        } else {
            const double y = f->bottom - part * (f->bottom - f->top);
            if (!p->regions) rule(out, k == 0 ? "axis" : "grid", f->left, y, f->right, y);
            text(out, f->left - 9, y + 4, "tick", "end", label);
        }
    }
}

static void draw_axes(FILE *out, const plot_panel *p, const frame *f) {
    draw_ticks(out, p, f, false);
    draw_ticks(out, p, f, true);
    rule(out, "axis", f->left, f->bottom, f->right, f->bottom);
    text(out, (f->left + f->right) / 2, f->bottom + 40, "label", "middle", p->x_label);
    if (p->y_label) {
        const double x = f->left - 46, y = (f->top + f->bottom) / 2;
        fprintf(out, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", x, y);
        text(out, 0, 0, "label", "middle", p->y_label);
        fputs("</g>\n", out);
    }
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool has_point(const frame *f, const plot_series *s, int i) {
    return isfinite(scaled(s->x[i], f->log_x)) && isfinite(scaled(s->y[i], f->log_y));
}

static void write_path(FILE *out, const plot_series *s, const frame *f) {
    bool pen_down = false;
    for (int i = 0; i < s->count; i++) {
        const bool here = has_point(f, s, i);
        if (here) {
            fprintf(out, "%c%.2f %.2f", pen_down ? 'L' : 'M', x_place(f, s->x[i]),
                    y_place(f, s->y[i]));
        }
        pen_down = here;
    }
}

static void draw_line(FILE *out, const plot_series *s, const frame *f) {
    fprintf(out, "<path class=\"line s%d%s\" d=\"", color_of(s->color),
            s->mark == PLOT_DASHED ? " dashed" : "");
    write_path(out, s, f);
    fputs("\"/>\n", out);
}

static void draw_shape(FILE *out, const plot_series *s, const frame *f) {
    fprintf(out, "<path class=\"shape s%d f%d\" d=\"", color_of(s->color), color_of(s->color));
    write_path(out, s, f);
    fputs("z\"/>\n", out);
}

/* The line, and in the middle of each long step the head of an arrow. */
static void draw_arrows(FILE *out, const plot_series *s, const frame *f) {
    enum { LONG = 13 };
    fprintf(out, "<path class=\"line thin s%d\" d=\"", color_of(s->color));
    write_path(out, s, f);
    fprintf(out, "\"/>\n<path class=\"f%d\" d=\"", color_of(s->color));
    for (int i = 1; i < s->count; i++) {
        if (!has_point(f, s, i - 1) || !has_point(f, s, i)) continue;
        const double x = x_place(f, s->x[i - 1]), y = y_place(f, s->y[i - 1]);
        const double along = x_place(f, s->x[i]) - x, down = y_place(f, s->y[i]) - y;
        const double length = hypot(along, down);
        if (length < LONG) continue;
        const double u = along / length, v = down / length;
        const double tip_x = x + along / 2 + 5 * u, tip_y = y + down / 2 + 5 * v;
        fprintf(out, "M%.2f %.2fL%.2f %.2fL%.2f %.2fz", tip_x, tip_y, tip_x - 9 * u - 4 * v,
                tip_y - 9 * v + 4 * u, tip_x - 9 * u + 4 * v, tip_y - 9 * v - 4 * u);
    }
    fputs("\"/>\n", out);
}

/* Series k of a panel: its place in the groups is that among the series of bars. */
static void draw_bars(FILE *out, const plot_panel *p, int k, const frame *f) {
    const plot_series *s = &p->series[k];
    int place = 0, n = 0;
    for (int i = 0; i < p->n_series; i++) {
        if (p->series[i].mark != PLOT_BARS) continue;
        if (i < k) place++;
        n++;
    }
    const double unit = (f->right - f->left) / (f->x.high - f->x.low), wide = 0.8 * unit / n;
    const double zero = f->log_y ? f->bottom : fmin(f->bottom, y_place(f, 0));
    for (int i = 0; i < s->count; i++) {
        if (!has_point(f, s, i)) continue;
        const double x = x_place(f, s->x[i]) - 0.4 * unit + place * wide, y = y_place(f, s->y[i]);
        fprintf(out,
                "<rect class=\"f%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\""
                " rx=\"1.5\"/>\n",
                color_of(s->color), x + 0.04 * wide, fmin(y, zero), 0.92 * wide, fabs(zero - y));
    }
}

static void draw_points(FILE *out, const plot_series *s, const frame *f) {
    const double radius = s->count > 24 ? 3.2 : 6; /* few points are there to be looked at */
    fprintf(out, "<g class=\"dot f%d\">\n", color_of(s->color));
    for (int i = 0; i < s->count; i++) {
        if (!has_point(f, s, i)) continue;
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", x_place(f, s->x[i]),
                y_place(f, s->y[i]), radius);
    }
    fputs("</g>\n", out);
}

/* One path per colour, one rectangle per run of equal cells in a row. */
static void draw_regions(FILE *out, const plot_regions *r, const frame *f) {
    const double wide = (f->right - f->left) / r->columns, high = (f->bottom - f->top) / r->rows;
    for (int color = 0; color < PLOT_COLORS; color++) {
        fprintf(out, "<path class=\"area f%d\" shape-rendering=\"crispEdges\" d=\"", color);
        for (int row = 0; row < r->rows; row++) {
            const unsigned char *cell = r->color + (long)row * r->columns;
            for (int from = 0, to; from < r->columns; from = to) {
                to = from + 1;
                while (to < r->columns && cell[to] == cell[from]) to++;
                if (cell[from] == PLOT_EMPTY || color_of(cell[from]) != color) continue;
                fprintf(out, "M%.2f %.2fh%.2fv%.2fh%.2fz", f->left + from * wide,
                        f->top + row * high, (to - from) * wide, high, (from - to) * wide);
            }
        }
        fputs("\"/>\n", out);
    }
}

/* The last point of each line, with its value; values closer than a line of text are moved
 * apart. */
static void draw_ends(FILE *out, const plot_panel *p, const frame *f) {
    const plot_series *line[MOST_ENDS];
    double place[MOST_ENDS];
    int n = 0;
    for (int k = 0; k < p->n_series && n < MOST_ENDS; k++) {
        const plot_series *s = &p->series[k];
        if (s->mark != PLOT_LINE && s->mark != PLOT_DASHED) continue;
        if (s->count == 0 || !has_point(f, s, s->count - 1)) continue;
        const double y = y_place(f, s->y[s->count - 1]);
        int at = n++;
        for (; at > 0 && place[at - 1] > y; at--) {
            place[at] = place[at - 1];
            line[at] = line[at - 1];
        }
        place[at] = y;
        line[at] = s;
    }
    for (int i = 1; i < n; i++) place[i] = fmax(place[i], place[i - 1] + 15);
    for (int i = n - 1; i >= 0; i--) {
        const double most = i == n - 1 ? f->bottom : place[i + 1] - 15;
        place[i] = fmin(place[i], most);
    }
    for (int i = 0; i < n; i++) {
        const double x = line[i]->x[line[i]->count - 1], y = line[i]->y[line[i]->count - 1];
        const int color = color_of(line[i]->color);
        char label[64], class[24];
        fprintf(out, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", color,
                x_place(f, x), y_place(f, y));
        if (f->log_y)
            snprintf(label, sizeof label, "%.3g", y);
        else
            number(label, sizeof label, y, round_step(f->y), p->percent, 1);
        snprintf(class, sizeof class, "value f%d", color);
        text(out, x_place(f, x) + 9, place[i] + 4, class, "start", label);
    }
}

static void draw_legend(FILE *out, const plot_panel *p, const frame *f) {
    double x = f->left;
    const double y = f->top - 16;
    for (int k = 0; k < p->n_series; k++) {
        const plot_series *s = &p->series[k];
        if (!s->label) continue;
        if (s->mark == PLOT_POINTS) {
            fprintf(out, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
                    color_of(s->color), x + 6, y - 4);
        } else if (s->mark == PLOT_BARS || s->mark == PLOT_SHAPE) {
            fprintf(out,
                    "<rect class=\"f%d\" x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\""
                    " rx=\"2\"/>\n",
                    color_of(s->color), x + 2, y - 10);
        } else {
            fprintf(out, "<path class=\"line s%d%s\" d=\"M%.1f %.1fh14\"/>\n", color_of(s->color),
                    s->mark == PLOT_DASHED ? " dashed" : "", x, y - 4);
        }
        text(out, x + 21, y, "label", "start", s->label);
        x += 38 + 6.6 * (double)strlen(s->label);
    }
}

static void draw_series(FILE *out, const plot_panel *p, int k, const frame *f) {
    const plot_series *s = &p->series[k];
    switch (s->mark) {
    case PLOT_LINE:
    case PLOT_DASHED: draw_line(out, s, f); break;
    case PLOT_POINTS: draw_points(out, s, f); break;
    case PLOT_ARROWS: draw_arrows(out, s, f); break;
    case PLOT_SHAPE: draw_shape(out, s, f); break;
    case PLOT_BARS: draw_bars(out, p, k, f); break;
    }
}

/* id tells the panels of one picture apart. */
static void draw_panel(FILE *out, const plot_panel *p, frame f, int id) {
    text(out, f.left, f.top - 36, "panel", "start", p->title);
    draw_legend(out, p, &f);
    if (p->regions) draw_regions(out, p->regions, &f);
    draw_axes(out, p, &f);
    const double room = 5; /* for the width of a line and half a point */
    fprintf(out,
            "<clipPath id=\"panel%d\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
            "</clipPath>\n<g clip-path=\"url(#panel%d)\">\n",
            id, f.left - room, f.top - room, f.right - f.left + 2 * room,
            f.bottom - f.top + 2 * room, id);
    for (int k = 0; k < p->n_series; k++) draw_series(out, p, k, &f);
    fputs("</g>\n", out);
    if (!p->no_values) draw_ends(out, p, &f);
    for (int i = 0; i < p->n_notes; i++) {
        char class[24];
        snprintf(class, sizeof class, "value f%d", color_of(p->notes[i].color));
        text(out, x_place(&f, p->notes[i].x), y_place(&f, p->notes[i].y), class, "start",
             p->notes[i].text);
    }
}

bool plot_write(const plot *picture, const char *path) {
    FILE *out = fopen(path, "w");
    if (!out) return false;
    const int panels = picture->n_panels > 0 ? picture->n_panels : 1;
    const int columns = picture->columns > 0 ? picture->columns : panels;
    const int rows = (panels + columns - 1) / columns;
    const int head = picture->title ? HEADER : 8;
    const int width = picture->width ? picture->width : 480 * columns;
    const int height = picture->height ? picture->height : head + (440 - HEADER) * rows;
    const double wide = (double)width / columns, high = (double)(height - head) / rows;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
            width, height, width, height);
    escaped(out, picture->title ? picture->title : "plot");
    fprintf(out, "</title>\n%s<rect class=\"paper\" width=\"%d\" height=\"%d\" rx=\"10\"/>\n",
            style, width, height);
    text(out, 24, 36, "title", "start", picture->title);
    text(out, 24, 57, "subtitle", "start", picture->subtitle);
    for (int i = 0; i < picture->n_panels; i++) {
        const int row = i / columns, column = i % columns;
        const double left = wide * column, top = head + high * row;
        draw_panel(out, &picture->panel[i],
                   make_frame(&picture->panel[i], left + LEFT, left + wide - RIGHT,
                              top + PANEL_HEAD, top + high - FOOT),
                   i);
    }
    fputs("</svg>\n", out);
    const bool ok = !ferror(out);
    return fclose(out) == 0 && ok;
}

void plot_histogram(const double *values, int count, plot_range range, int bins, double foot,
                    double high, double *x, double *y) {
    const double wide = (range.high - range.low) / bins;
    double most = 1;
    for (int i = 0; i < bins + 2; i++) {
        x[i] =
            fmin(fmax(range.low + (i - 0.5) * wide, range.low), range.high); /* ends: the edges */
        y[i] = 0;
    }
    for (int i = 0; i < count; i++) {
        const double bin = floor((values[i] - range.low) / wide);
        if (values[i] != 0 && bin >= 0 && bin < bins) most = fmax(most, ++y[1 + (int)bin]);
    }
    for (int i = 0; i < bins + 2; i++) y[i] = foot + high * y[i] / most;
}
