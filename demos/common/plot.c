/* demos/common/plot.c: writes the SVG text of a plot, part by part, straight into the file. */
#include "common/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 82, PANEL_HEAD = 46, FOOT = 58, LEFT = 62, RIGHT = 66, TICKS = 6, MOST_ENDS = 16 };

/* One panel's axes: data ranges and the rectangle that they fill. */
typedef struct frame {
    plot_range x, y;
    double left, right, top, bottom;
} frame;

static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',"
    "sans-serif;font-size:12px;fill:#5b6475}\n"
    ".paper{fill:#ffffff}.title{font-size:18px;font-weight:600;fill:#1b2130}\n"
    ".panel{font-size:13px;font-weight:600;fill:#1b2130}.value{font-weight:600}\n"
    ".grid{stroke:#e6e9ef;stroke-width:1}.axis{stroke:#9aa3b2;stroke-width:1}\n"
    ".line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}\n"
    ".dashed{stroke-dasharray:1 5}.dot{stroke:#ffffff;stroke-width:1}.area{fill-opacity:.16}\n"
    ".s0{stroke:#2563c9}.s1{stroke:#d9622b}.s2{stroke:#1f8a5f}.s3{stroke:#8250c4}.s4{stroke:#"
    "c2344f}"
    ".s5{stroke:#0f8b99}\n"
    ".f0{fill:#2563c9}.f1{fill:#d9622b}.f2{fill:#1f8a5f}.f3{fill:#8250c4}.f4{fill:#c2344f}"
    ".f5{fill:#0f8b99}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#9da7ba}.paper{fill:#12161f}.title,.panel{fill:#eef1f6}\n"
    ".grid{stroke:#252c39}.axis{stroke:#566074}.dot{stroke:#12161f}.area{fill-opacity:.24}\n"
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

static double x_place(const frame *f, double x) {
    return f->left + (x - f->x.low) / (f->x.high - f->x.low) * (f->right - f->left);
}
static double y_place(const frame *f, double y) {
    return f->bottom - (y - f->y.low) / (f->y.high - f->y.low) * (f->bottom - f->top);
}

/* 1, 2 or 5 times a power of ten, for at most about TICKS steps. */
static double round_step(plot_range r) {
    const double rough = (r.high - r.low) / TICKS;
    const double power = pow(10, floor(log10(rough)));
    const double lead = rough / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static plot_range data_range(const plot_panel *p, bool of_x) {
    plot_range r = {HUGE_VAL, -HUGE_VAL};
    for (int s = 0; s < p->n_series; s++) {
        const double *v = of_x ? p->series[s].x : p->series[s].y;
        for (int i = 0; i < p->series[s].count; i++) {
            if (!isfinite(v[i])) continue;
            r.low = fmin(r.low, v[i]);
            r.high = fmax(r.high, v[i]);
        }
    }
    if (!(r.low <= r.high)) return (plot_range){0, 1};
    if (r.low == r.high) return (plot_range){r.low - 0.5, r.high + 0.5};
    return r;
}

static frame make_frame(const plot_panel *p, double left, double right, double top, double bottom) {
    frame f = {p->x, p->y, left, right, top, bottom};
    if (!(f.x.low < f.x.high)) f.x = data_range(p, true);
    if (!(f.y.low < f.y.high)) {
        f.y = data_range(p, false);
        for (int again = 0; again < 2; again++) { /* a wider range may want a wider step */
            const double step = round_step(f.y);
            f.y.low = step * floor(f.y.low / step + 1e-9);
            f.y.high = step * ceil(f.y.high / step - 1e-9);
        }
    }
    return f;
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

static void draw_axes(FILE *out, const plot_panel *p, const frame *f) {
    char label[64];
    double step = round_step(f->y);
    for (double k = ceil(f->y.low / step - 1e-9); k * step <= f->y.high + step * 1e-9; k++) {
        const double y = y_place(f, k * step);
        if (!p->regions) rule(out, k == 0 ? "axis" : "grid", f->left, y, f->right, y);
        number(label, sizeof label, k * step, step, p->percent, 0);
        text(out, f->left - 9, y + 4, "tick", "end", label);
    }
    step = round_step(f->x);
    for (double k = ceil(f->x.low / step - 1e-9); k * step <= f->x.high + step * 1e-9; k++) {
        const double x = x_place(f, k * step);
        rule(out, "axis", x, f->bottom, x, f->bottom + 4);
        number(label, sizeof label, k * step, step, false, 0);
        text(out, x, f->bottom + 19, "tick", "middle", label);
    }
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

static bool finite_point(const plot_series *s, int i) {
    return isfinite(s->x[i]) && isfinite(s->y[i]);
}

static void draw_line(FILE *out, const plot_series *s, const frame *f) {
    fprintf(out, "<path class=\"line s%d%s\" d=\"", color_of(s->color),
            s->mark == PLOT_DASHED ? " dashed" : "");
    bool pen_down = false;
    for (int i = 0; i < s->count; i++) {
        if (finite_point(s, i)) {
            fprintf(out, "%c%.2f %.2f", pen_down ? 'L' : 'M', x_place(f, s->x[i]),
                    y_place(f, s->y[i]));
        }
        pen_down = finite_point(s, i);
    }
    fputs("\"/>\n", out);
}

static void draw_points(FILE *out, const plot_series *s, const frame *f) {
    fprintf(out, "<g class=\"dot f%d\">\n", color_of(s->color));
    for (int i = 0; i < s->count; i++) {
        if (!finite_point(s, i)) continue;
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>\n", x_place(f, s->x[i]),
                y_place(f, s->y[i]));
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
                if (color_of(cell[from]) != color) continue;
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
        if (s->mark == PLOT_POINTS || s->count == 0 || !finite_point(s, s->count - 1)) continue;
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
        number(label, sizeof label, y, round_step(f->y), p->percent, 1);
        snprintf(class, sizeof class, "value f%d", color);
        if (!p->no_values) text(out, x_place(f, x) + 9, place[i] + 4, class, "start", label);
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
        } else {
            fprintf(out, "<path class=\"line s%d%s\" d=\"M%.1f %.1fh14\"/>\n", color_of(s->color),
                    s->mark == PLOT_DASHED ? " dashed" : "", x, y - 4);
        }
        text(out, x + 21, y, "label", "start", s->label);
        x += 38 + 6.6 * (double)strlen(s->label);
    }
}

static void draw_panel(FILE *out, const plot_panel *p, frame f) {
    text(out, f.left, f.top - 36, "panel", "start", p->title);
    draw_legend(out, p, &f);
    if (p->regions) draw_regions(out, p->regions, &f);
    draw_axes(out, p, &f);
    for (int k = 0; k < p->n_series; k++) {
        if (p->series[k].mark == PLOT_POINTS) {
            draw_points(out, &p->series[k], &f);
        } else {
            draw_line(out, &p->series[k], &f);
        }
    }
    draw_ends(out, p, &f);
}

bool plot_write(const plot *picture, const char *path) {
    FILE *out = fopen(path, "w");
    if (!out) return false;
    const int panels = picture->n_panels > 0 ? picture->n_panels : 1;
    const int width = picture->width ? picture->width : 480 * panels;
    const int height = picture->height ? picture->height : 440;
    const double top = (picture->title ? HEADER : 8) + PANEL_HEAD, share = (double)width / panels;

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
        draw_panel(out, &picture->panel[i],
                   make_frame(&picture->panel[i], share * i + LEFT, share * (i + 1) - RIGHT, top,
                              height - FOOT));
    }
    fputs("</svg>\n", out);
    const bool ok = !ferror(out);
    return fclose(out) == 0 && ok;
}
