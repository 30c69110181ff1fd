/* step/page.c: the page of one circuit: its drawing, its journal, the places of its parts, and the rows of ops.def,
 * from which the page computes the circuit again when an input is moved. */
#include "step/page.h"

#include "ops/ops.h"
#include "step/assets.h"
#include "step/circuit_svg.h"

static int part_number(uint32_t part) { return part == GT__NO_PART ? -1 : (int)part; }

/* [from, to, slot, slots, gate, heights of bends...] */
static void write_wires(const gt__level *level, FILE *out) {
    const gt__layout *l = &level->layout;
    fputs("],\"wires\":[", out);
    for (int e = 0; e < l->n_wires; e++) {
        const gt__wire *w = &l->wire[e];
        fprintf(out, "%s[%d,%d,%d,%d,%d", e ? "," : "", w->from, w->to, w->slot, w->n_slots,
                part_number(level->wire_gate[e]));
        for (int i = 0; i < w->n_bends; i++) fprintf(out, ",%.1f", l->bend[w->bend + i]);
        fputc(']', out);
    }
}

/* Boxes: [part, column, middle, width, height]; part -1 is a port. */
static void write_levels(const gt__picture *p, FILE *out) {
    fputs(",\n\"levels\":[", out);
    for (uint32_t i = 0; i < p->n_levels; i++) {
        const gt__level *level = &p->level[i];
        fprintf(out, "%s\n{\"part\":%d,\"boxes\":[", i ? "," : "", part_number(level->part));
        for (int k = 0; k < level->layout.n_boxes; k++) {
            const gt__box *box = &level->layout.box[k];
            fprintf(out, "%s[%d,%d,%.1f,%.1f,%.1f]", k ? "," : "", part_number(level->box_part[k]),
                    box->column, box->y, box->wide, box->high);
        }
        write_wires(level, out);
        fputs("]}", out);
    }
    fputs("],\n\"parts\":[", out);
    for (uint32_t i = 0; i < p->n_parts; i++)
        fprintf(out, "%s{\"parent\":%d,\"level\":%u,\"first\":%u,\"last\":%u}", i ? "," : "",
                part_number(p->part[i].parent), p->part[i].level, p->part[i].first,
                p->part[i].last);
    fprintf(out, "],\n\"sizes\":{\"local\":%d,\"frame\":%d,\"gap\":%g,\"ports\":%g}",
            GT__ROOM_LOCAL, GT__FRAME, p->level[0].layout.column_gap, GT__PORTS);
}

/* name: [forward, [local gradients]] */
static void write_rows(FILE *out) {
    bool any = false;
    fputs(",\n\"rows\":{", out);
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op_more *more = &gt_op_at(i)->more;
        if (!more->forward_text) continue;
        fputs(any ? ",\n" : "\n", out);
        gt__json_text(gt_op_at(i)->name, out);
        fputs(":[", out);
        gt__json_text(more->forward_text, out);
        fputs(",[", out);
        for (int k = 0; k < 3 && more->gradient_text[k]; k++) {
            if (k) fputc(',', out);
            gt__json_text(more->gradient_text[k], out);
        }
        fputs("]]", out);
        any = true;
    }
    fputs("}}", out);
}

bool gt_journal_page(gt_journal *journal, const gt_page_options *options, FILE *out) {
    static const gt_page_options none;
    if (!journal || journal->error[0] || !out) return false;
    const char *const styles[] = {gt__circuit_css, gt__page_css, NULL};
    const char *const scripts[] = {gt__page_js,           gt__engine_js,       gt__walk_labels_js,
                                   gt__walk_state_js,     gt__walk_drawing_js, gt__walk_panels_js,
                                   gt__walk_exercises_js, gt__walk_js,         NULL};
    gt__picture p;
    const bool made = gt__picture_make(&p, journal, false);
    if (made) {
        gt__page_begin(options ? options : &none, styles, out);
        fputs("<div id=\"view\">\n", out);
        gt__draw_circuit(&p, true, out);
        fputs("</div>\n", out);
        gt__draw_groups(&p, out);
        gt__page_data(out);
        fputs("{\"journal\":", out);
        gt_journal_json(journal, out);
        write_levels(&p, out);
        write_rows(out);
        gt__page_end(scripts, out);
    }
    gt__picture_free(&p);
    return made && (!ferror(out) || gt__journal_fail(journal, "the page could not be written"));
}
