/* step/circuit_svg.c: writes the SVG of a picture, level by level. A part's origin is the middle of its left edge; a
 * level's is its upper left corner. walk_drawing.js moves the same elements when parts are opened. */
#include "step/circuit_svg.h"

#include <string.h>

#include "step/assets.h"

enum { MARGIN = 18 };

void gt__xml_text(const char *text, FILE *out) {
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        const size_t n = gt__utf8_sequence(s);
        if (n == 0 || (*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f)
            fputs("\xef\xbf\xbd", out);
        else if (strchr("<>&\"'", *s))
            fprintf(out, "&#%d;", *s);
        else
            fwrite(s, 1, n, out);
        s += n ? n : 1;
    }
}

static void write_text(const char *class, double x, double y, const char *text, FILE *out) {
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    gt__xml_text(text, out);
    fputs("</text>", out);
}

/* ---- wires ------------------------------------------------------------------------------------ */

typedef struct point {
    double x, y;
} point;

static double column_end(const gt__layout *l, int column) {
    return l->x[column + 1] - l->column_gap;
}

/* Where a wire that leaves an open part does so, below the part's middle. */
static double below_middle(const gt__picture *p, const gt__part *part, bool entry) {
    if (!part->open) return 0;
    const gt__layout *inner = &p->level[part->level].layout;
    return inner->box[entry ? 0 : inner->n_boxes - 1].y - inner->high / 2;
}

static point wire_start(const gt__picture *p, const gt__level *level, const gt__wire *w) {
    const gt__box *box = &level->layout.box[w->from];
    const uint32_t part = level->box_part[w->from];
    if (part == GT__NO_PART) return (point){-GT__FRAME, box->y};
    return (point){box->x + box->wide, box->y + below_middle(p, &p->part[part], false)};
}

static point wire_end(const gt__picture *p, const gt__level *level, const gt__wire *w) {
    const gt__box *box = &level->layout.box[w->to];
    const uint32_t part = level->box_part[w->to];
    if (part == GT__NO_PART) return (point){level->layout.wide + GT__FRAME, box->y};
    if (p->part[part].open) return (point){box->x, box->y + below_middle(p, &p->part[part], true)};
    return (point){box->x + GT__ROOM_LOCAL, box->y + gt__layout_port(&level->layout, w)};
}

static void write_wire(const gt__picture *p, const gt__level *level, int e, FILE *out) {
    const gt__layout *l = &level->layout;
    const gt__wire *w = &l->wire[e];
    const point start = wire_start(p, level, w), end = wire_end(p, level, w);
    const int column = l->box[w->from].column;
    double y = start.y;
    fprintf(out, "<path class=\"wire\" d=\"M%.1f %.1fH%.1f", start.x, y, column_end(l, column));
    for (int i = 0; i <= w->n_bends; i++) {
        const int next = column + 1 + i;
        const double from = column_end(l, next - 1), to = l->x[next], middle = (from + to) / 2;
        const double down = i < w->n_bends ? l->bend[w->bend + i] : end.y;
        fprintf(out, "C%.1f %.1f %.1f %.1f %.1f %.1fH%.1f", middle, y, middle, down, to, down,
                i < w->n_bends ? column_end(l, next) : end.x);
        y = down;
    }
    fputs("\"/>\n", out);
}

/* ---- parts ------------------------------------------------------------------------------------ */

static void write_locals(const gt__picture *p, const gt__gate *gate, const gt__box *box,
                         FILE *out) {
    const gt_journal *j = p->journal;
    for (uint32_t i = 0; i < gate->n_edges && gate->n_in <= 3; i++) {
        const gt__edge *e = &j->edge[gate->first_edge + i];
        const gt__wire w = {.to = 0, .slot = (int)e->k, .n_slots = (int)gate->n_in};
        const gt__layout alone = {.box = (gt__box *)(uintptr_t)box};
        char text[40] = "";
        if (e->local_f.numel == 1) snprintf(text, sizeof text, "\xc3\x97%.3g", e->local_f.one);
        fprintf(out, "<text class=\"local\" data-k=\"%u\" x=\"%d\" y=\"%.1f\">", e->k,
                GT__ROOM_LOCAL - 5, gt__layout_port(&alone, &w) - 4);
        gt__xml_text(text, out);
        fputs("</text>", out);
    }
}

static void write_gate(const gt__picture *p, const gt__part *part, const gt__box *box, FILE *out) {
    const gt_journal *j = p->journal;
    const gt__gate *gate = &j->gate[part->gate];
    const bool leaf = gt__part_is_leaf(p, part);
    const double left = leaf ? 0 : GT__ROOM_LOCAL, right = left + part->face;
    const double high = leaf ? GT__LEAF_HIGH : box->high - (GT__GATE_ROOM - GT__GATE_HIGH);
    char text[96];
    fputs("<title>", out);
    gt__xml_text(gate->label, out);
    fprintf(out, "</title><path class=\"wire stub\" d=\"M%.1f 0H%.1f\"/>", right,
            right + GT__ROOM_WIRE);
    fprintf(out, "<rect class=\"shape\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            left, -high / 2, part->face, high);
    write_text("symbol", left + part->face / 2, 5, part->symbol, out);
    if (*part->name) write_text("name", left + part->face / 2, -high / 2 - 5, part->name, out);
    write_text("role", left + part->face / 2, high / 2 + 13,
               gt__role_name(gt__role_of(j, part->gate)), out);
    write_text("value", right + 8, -6, gt__figure_text(&gate->v, gate->value, text, sizeof text),
               out);
    write_text("grad", right + 8, 16, gt__figure_text(&gate->g, gate->gradient, text, sizeof text),
               out);
    write_locals(p, gate, box, out);
    if (gate->n_arrived > 1)
        fprintf(out,
                "<circle class=\"fork\" cx=\"%.1f\" r=\"7\"/><path class=\"fork\" d=\"M%.1f 0h8"
                "m-4 -4v8\"/>",
                right + GT__ROOM_WIRE, right + GT__ROOM_WIRE - 4);
}

static void write_group(const gt__picture *p, const gt__part *part, FILE *out) {
    const gt_journal *j = p->journal;
    fputs("<title>", out);
    gt__xml_text(j->gate[part->first].label, out);
    fputs(" - ", out);
    gt__xml_text(j->gate[part->last].label, out);
    fprintf(out,
            "</title><rect class=\"shape behind\" x=\"%d\" y=\"-15\" width=\"%.1f\" height=\"38\"/>"
            "<rect class=\"shape\" x=\"%d\" y=\"-19\" width=\"%.1f\" height=\"38\"/>",
            GT__ROOM_LOCAL + 4, part->face, GT__ROOM_LOCAL, part->face);
    write_text("symbol", GT__ROOM_LOCAL + part->face / 2, 5, part->symbol, out);
}

/* The part up to its inside; the caller closes it. */
static void begin_part(const gt__picture *p, uint32_t i, const gt__box *box, bool in_page,
                       FILE *out) {
    const gt__part *part = &p->part[i];
    const bool group = part->gate == GT__NO_GATE;
    const char *kind = group ? "group" : gt__part_is_leaf(p, part) ? "leaf" : "gate";
    fprintf(out, "<g id=\"p%u\" class=\"part %s%s%s\" transform=\"translate(%.1f %.1f)\">", i, kind,
            part->level ? " composite" : "", part->open ? " open" : "", box->x, box->y);
    if (part->open && !in_page) return;
    fputs("<g class=\"face\">", out);
    if (group)
        write_group(p, part, out);
    else
        write_gate(p, part, box, out);
    fputs("</g>", out);
}

static void begin_level(const gt__picture *p, const gt__level *level, FILE *out) {
    fprintf(out, "<g class=\"level\" id=\"l%u\">\n", (unsigned)(level - p->level));
    for (int e = 0; e < level->layout.n_wires; e++) write_wire(p, level, e, out);
}

/* A composite gate is made of plain ones. */
static void write_gates_inside(const gt__picture *p, const gt__level *level, FILE *out) {
    begin_level(p, level, out);
    for (int i = 1; i < level->layout.n_boxes - 1; i++) {
        begin_part(p, level->box_part[i], &level->layout.box[i], true, out);
        fputs("</g>\n", out);
    }
    fputs("</g>", out);
}

/* In a page the inside of a group is empty: it has a template. */
static void write_inside(const gt__picture *p, const gt__part *part, FILE *out) {
    const gt__level *level = &p->level[part->level];
    const gt__layout *l = &level->layout;
    fprintf(out,
            "<g class=\"inside\" transform=\"translate(%d %.1f)\"><rect class=\"frame\" x=\"%d\" "
            "y=\"%d\" width=\"%.1f\" height=\"%.1f\"/>",
            GT__FRAME, -l->high / 2, -GT__FRAME, -GT__FRAME, l->wide + 2 * GT__FRAME,
            l->high + 2 * GT__FRAME);
    write_text("caption", 8 - GT__FRAME, -6, p->journal->gate[part->first].label, out);
    if (part->gate != GT__NO_GATE) write_gates_inside(p, level, out);
    fputs("</g>", out);
}

static void write_level(const gt__picture *p, const gt__level *level, bool in_page, FILE *out) {
    begin_level(p, level, out);
    for (int i = 0; i < level->layout.n_boxes; i++) {
        const uint32_t part = level->box_part[i];
        if (part == GT__NO_PART) continue;
        begin_part(p, part, &level->layout.box[i], in_page, out);
        if (p->part[part].level && (in_page || p->part[part].open))
            write_inside(p, &p->part[part], out);
        fputs("</g>\n", out);
    }
    fputs("</g>", out);
}

void gt__draw_circuit(const gt__picture *p, bool in_page, FILE *out) {
    const gt__layout *whole = &p->level[0].layout;
    const double wide = whole->wide + 2 * MARGIN, high = whole->high + 2 * MARGIN;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"circuit\" class=\"circuit\" "
            "width=\"%.0f\" height=\"%.0f\" viewBox=\"%d %d %.0f %.0f\">\n",
            wide, high, -MARGIN, -MARGIN, wide, high);
    if (!in_page)
        fprintf(out,
                "<style>%s</style><rect class=\"paper\" x=\"%d\" y=\"%d\" width=\"%.0f\" "
                "height=\"%.0f\"/>\n",
                gt__circuit_css, -MARGIN, -MARGIN, wide, high);
    write_level(p, &p->level[0], in_page, out);
    fputs("</svg>\n", out);
}

void gt__draw_groups(const gt__picture *p, FILE *out) {
    for (uint32_t i = 1; i < p->n_levels; i++) {
        if (p->part[p->level[i].part].gate != GT__NO_GATE) continue;
        fprintf(out, "<template id=\"t%u\"><svg>", i);
        write_level(p, &p->level[i], true, out);
        fputs("</svg></template>\n", out);
    }
}

bool gt_journal_svg(gt_journal *journal, FILE *out) {
    gt__picture p;
    if (!journal || journal->error[0] || !out) return false;
    const bool made = gt__picture_make(&p, journal, true);
    if (made) gt__draw_circuit(&p, false, out);
    gt__picture_free(&p);
    return made && (!ferror(out) || gt__journal_fail(journal, "the drawing could not be written"));
}
