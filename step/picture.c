/* step/picture.c: makes parts, levels and wires of a journal, and has every level laid out, inner ones first. */
#include "step/picture.h"

#include <math.h>
#include <string.h>

enum { MOST_TOGETHER = 60, GROUP = 40, LEAF_LETTERS = 16, NAME_LETTERS = 12 };

/* ---- texts ------------------------------------------------------------------------------------ */

static const struct {
    const char *op, *symbol;
} symbols[] = {{"add", "+"},
               {"sub", "\xe2\x88\x92"},
               {"mul", "\xc3\x97"},
               {"div", "\xc3\xb7"},
               {"neg", "\xc3\x97\xe2\x88\x92"
                       "1"},
               {"square", "x\xc2\xb2"},
               {"sqrt", "\xe2\x88\x9ax"},
               {"reciprocal", "1/x"},
               {"log", "ln"},
               {"sigmoid", "\xcf\x83"},
               {"sum", "\xce\xa3"},
               {"matmul", "@"},
               {"maximum", "max"},
               {"minimum", "min"}};

static void write_symbol(gt_tensor t, char *text, size_t size) {
    const char *op = gt_op_of(t)->name;
    snprintf(text, size, "%.20s", op);
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (strcmp(op, symbols[i].op) == 0) snprintf(text, size, "%s", symbols[i].symbol);
    if (gt_n_args(t) < 1) return;
    const double number = gt_args(t)[0].real;
    if (strcmp(op, "add_scalar") == 0) snprintf(text, size, "%+.4g", number);
    if (strcmp(op, "mul_scalar") == 0) snprintf(text, size, "\xc3\x97%.4g", number);
    if (strcmp(op, "pow_scalar") == 0) snprintf(text, size, "x^%.4g", number);
}

const char *gt__figure_text(const gt__figures *f, gt_tensor t, char *text, size_t size) {
    if (f->numel == 1) {
        snprintf(text, size, "%.6g", f->one);
    } else if (gt_is_none(t)) {
        snprintf(text, size, "-");
    } else {
        const gt_shape s = gt_shape_of(t);
        size_t used = 0;
        text[0] = 0;
        for (int i = 0; i < s.rank && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "\xc3\x97" : "",
                                     (long long)s.dim[i]);
    }
    return text;
}

/* About how wide a text is: a character of an east Asian script takes up to 14 pixels, others 9. */
static double text_width(const char *text) {
    double wide = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c & 0xc0) != 0x80) wide += *c >= 0xe3 ? 14 : 9;
    return wide;
}

/* The first letters of a label, whole characters only. */
static void shorten(const char *label, int letters, char *text, size_t size) {
    size_t bytes = 0;
    for (; label[bytes] && bytes + 8 < size; bytes++)
        if (((unsigned char)label[bytes] & 0xc0) != 0x80 && letters-- == 0) break;
    snprintf(text, size, "%.*s%s", (int)bytes, label, label[bytes] ? "\xe2\x80\xa6" : "");
}

/* Has a gate a name of its own, or only "operation#number"? */
static bool is_named(const gt__gate *gate) {
    const char *op = gt_op_of(gate->value)->name;
    const size_t n = strlen(op);
    return gate->parent == GT__NO_GATE &&
           !(strncmp(gate->label, op, n) == 0 && gate->label[n] == '#');
}

/* ---- parts and levels ------------------------------------------------------------------------- */

bool gt__part_is_leaf(const gt__picture *p, const gt__part *part) {
    return part->gate != GT__NO_GATE && p->journal->gate[part->gate].n_in == 0;
}

static uint32_t add_part(gt__picture *p, uint32_t gate) {
    if (!gt__journal_grow(p->journal, &p->part, &p->part_room, (uint64_t)p->n_parts + 1,
                          sizeof *p->part))
        return GT__NO_PART;
    p->part[p->n_parts] =
        (gt__part){.gate = gate, .parent = GT__NO_PART, .place = -1, .first = gate, .last = gate};
    return p->n_parts++;
}

static bool add_level(gt__picture *p, uint32_t part) {
    if (!gt__journal_grow(p->journal, &p->level, &p->level_room, (uint64_t)p->n_levels + 1,
                          sizeof *p->level))
        return false;
    gt__level *level = &p->level[p->n_levels];
    *level = (gt__level){.part = part};
    level->layout.column_gap = 28;
    level->layout.row_gap = 10;
    level->layout.allocator = gt__journal_allocator(p->journal);
    if (part != GT__NO_PART) p->part[part].level = p->n_levels;
    p->n_levels++;
    return true;
}

static int add_box(gt__picture *p, gt__level *level, uint32_t part, double wide, double high) {
    gt__layout *l = &level->layout;
    const uint64_t need = (uint64_t)l->n_boxes + 1;
    if (!gt__journal_grow(p->journal, &l->box, &level->box_room, need, sizeof *l->box) ||
        !gt__journal_grow(p->journal, &level->box_part, &level->part_room, need,
                          sizeof *level->box_part))
        return -1;
    level->box_part[l->n_boxes] = part;
    l->box[l->n_boxes] = (gt__box){.wide = wide, .high = high, .port = part == GT__NO_PART};
    return l->n_boxes++;
}

static gt__level *level_of(const gt__picture *p, const gt__part *part) {
    return &p->level[part->parent == GT__NO_PART ? 0 : p->part[part->parent].level];
}

/* Groups of neighbours on the tape, and groups of groups, until few enough stand together. Wires between
 * them go forwards, as those of the tape do. */
static bool add_groups(gt__picture *p, uint32_t first, uint32_t count) {
    while (count > MOST_TOGETHER) {
        const uint32_t groups = (count + GROUP - 1) / GROUP, begin = p->n_parts;
        for (uint32_t i = 0; i < groups; i++) {
            const uint32_t group = add_part(p, GT__NO_GATE);
            if (group == GT__NO_PART || !add_level(p, group)) return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            gt__part *inner = &p->part[first + i], *group = &p->part[begin + i / GROUP];
            inner->parent = begin + i / GROUP;
            if (i % GROUP == 0) group->first = inner->first;
            group->last = inner->last;
        }
        first = begin;
        count = groups;
    }
    return true;
}

static bool add_parts(gt__picture *p, bool open) {
    const gt_journal *j = p->journal;
    for (uint32_t i = 0; i < j->n_gates; i++)
        if (add_part(p, i) == GT__NO_PART) return false;
    if (!add_level(p, GT__NO_PART)) return false;
    for (uint32_t i = 0; i < j->n_gates; i++) {
        p->part[i].parent = j->gate[i].parent;
        p->part[i].open = open && j->gate[i].open;
        if (j->gate[i].n_inner > 0 && !add_level(p, i)) return false;
    }
    return add_groups(p, 0, j->n_main);
}

/* ---- boxes ------------------------------------------------------------------------------------ */

static void write_face(gt__picture *p, gt__part *part) {
    const gt_journal *j = p->journal;
    const gt__gate *first = &j->gate[part->first];
    if (part->gate == GT__NO_GATE)
        snprintf(part->symbol, sizeof part->symbol, "%u\xe2\x80\x93%u", part->first, part->last);
    else if (gt__part_is_leaf(p, part))
        shorten(first->label, LEAF_LETTERS, part->symbol, sizeof part->symbol);
    else
        write_symbol(first->value, part->symbol, sizeof part->symbol);
    if (part->gate != GT__NO_GATE && !gt__part_is_leaf(p, part) && is_named(first))
        shorten(first->label, NAME_LETTERS, part->name, sizeof part->name);
    part->face = fmax(38, fmax(text_width(part->symbol) + 18, text_width(part->name)));
}

static bool add_box_of(gt__picture *p, uint32_t i) {
    gt__part *part = &p->part[i];
    const bool gate = part->gate != GT__NO_GATE, leaf = gt__part_is_leaf(p, part);
    if (gate && p->journal->gate[part->gate].kind == GT__ALIAS) return true;
    write_face(p, part);
    const uint32_t n_in = gate ? p->journal->gate[part->gate].n_in : 0;
    const double rows = n_in > 3 ? 14.0 * (n_in - 3) : 0;
    const double wide = part->face + (leaf ? 0 : GT__ROOM_LOCAL) + (gate ? GT__ROOM_WIRE : 0);
    const bool flat =
        leaf && p->journal->gate[part->gate].v.numel == 1; /* tensors need room for a map */
    const double high = (flat ? GT__GATE_HIGH : GT__GATE_ROOM) + rows;
    part->place = add_box(p, level_of(p, part), i, wide, high);
    return part->place >= 0;
}

/* Box 0 is where wires enter a level, the last box where they leave. The whole has neither. */
static bool add_ports(gt__picture *p) {
    for (uint32_t i = 1; i < p->n_levels; i++)
        if (add_box(p, &p->level[i], GT__NO_PART, 2, 10) < 0) return false;
    return true;
}

static bool add_boxes(gt__picture *p) {
    if (!add_ports(p)) return false;
    for (uint32_t i = 0; i < p->n_parts; i++)
        if (!add_box_of(p, i)) return false;
    return add_ports(p);
}

/* ---- wires ------------------------------------------------------------------------------------ */

/* Wires that enter a part that holds others are drawn once for each part that they come from. */
static bool add_wire(gt__picture *p, gt__level *level, gt__wire wire, uint32_t gate, bool bundle) {
    gt__layout *l = &level->layout;
    for (int e = l->n_wires; bundle && e-- > 0 && l->wire[e].to == wire.to;) {
        if (l->wire[e].from != wire.from) continue;
        if (level->wire_gate[e] != gate) level->wire_gate[e] = GT__NO_GATE;
        return true;
    }
    const uint64_t need = (uint64_t)l->n_wires + 1;
    if (!gt__journal_grow(p->journal, &l->wire, &level->wire_room, need, sizeof *l->wire) ||
        !gt__journal_grow(p->journal, &level->wire_gate, &level->gate_room, need,
                          sizeof *level->wire_gate))
        return false;
    level->wire_gate[l->n_wires] = gate;
    l->wire[l->n_wires++] = wire;
    return true;
}

static int depth_of(const gt__picture *p, uint32_t part) {
    int depth = 0;
    while ((part = p->part[part].parent) != GT__NO_PART) depth++;
    return depth;
}

/* To the port by which wires leave the level of `part`; from there on its parent stands for it. */
static bool leave(gt__picture *p, uint32_t *part, uint32_t gate) {
    gt__level *level = level_of(p, &p->part[*part]);
    const gt__wire wire = {.from = p->part[*part].place, .to = level->layout.n_boxes - 1};
    *part = p->part[*part].parent;
    return add_wire(p, level, wire, gate, true);
}

/* From the port by which wires enter the level of `part`; from there on its parent stands for it. */
static bool enter(gt__picture *p, uint32_t *part, gt__wire *wire, uint32_t gate) {
    gt__level *level = level_of(p, &p->part[*part]);
    const bool bundle = p->part[*part].gate == GT__NO_GATE;
    wire->from = 0;
    wire->to = p->part[*part].place;
    *part = p->part[*part].parent;
    if (!add_wire(p, level, *wire, gate, bundle)) return false;
    *wire = (gt__wire){0};
    return true;
}

/* One input of one gate, through all the levels between. */
static bool add_wire_path(gt__picture *p, uint32_t from, uint32_t to, gt__wire wire) {
    const uint32_t gate = from;
    int from_depth = depth_of(p, from), to_depth = depth_of(p, to);
    if (p->part[from].place < 0) return enter(p, &to, &wire, gate); /* the alias is the port */
    for (; to_depth > from_depth; to_depth--)
        if (!enter(p, &to, &wire, gate)) return false;
    for (; from_depth > to_depth; from_depth--)
        if (!leave(p, &from, gate)) return false;
    while (p->part[from].parent != p->part[to].parent)
        if (!enter(p, &to, &wire, gate) || !leave(p, &from, gate)) return false;
    wire.from = p->part[from].place;
    wire.to = p->part[to].place;
    return add_wire(p, level_of(p, &p->part[to]), wire, gate, p->part[to].gate == GT__NO_GATE);
}

static bool add_wires(gt__picture *p) {
    const gt_journal *j = p->journal;
    for (uint32_t i = 0; i < j->n_gates; i++) {
        const gt__gate *gate = &j->gate[i];
        for (uint32_t k = 0; k < gate->n_in; k++) {
            const gt__wire wire = {.slot = (int)k, .n_slots = (int)gate->n_in};
            const uint32_t input = j->input[gate->first_in + k];
            if (gate->kind != GT__ALIAS && !add_wire_path(p, input, i, wire)) return false;
        }
    }
    for (uint32_t i = 0; i < j->n_main; i++) {
        uint32_t result = j->gate[i].first_inner + j->gate[i].n_inner - 1;
        if (j->gate[i].n_inner > 0 && !leave(p, &result, i)) return false;
    }
    return true;
}

/* ---- places ----------------------------------------------------------------------------------- */

/* Levels are placed from the inside out: those of composites and groups stand in that order. */
static bool place_level(gt__picture *p, gt__level *level) {
    gt__layout *l = &level->layout;
    for (int i = 0; i < l->n_boxes; i++) {
        if (level->box_part[i] == GT__NO_PART) continue;
        const gt__part *part = &p->part[level->box_part[i]];
        if (!part->open) continue;
        l->box[i].wide = p->level[part->level].layout.wide + 2 * GT__FRAME;
        l->box[i].high = p->level[part->level].layout.high + 2 * GT__FRAME;
    }
    return gt__layout_place(l) || gt__journal_fail(p->journal, "out of memory: a drawing");
}

static bool place_all(gt__picture *p) {
    for (uint32_t i = 1; i < p->n_levels; i++)
        if (!place_level(p, &p->level[i])) return false;
    return place_level(p, &p->level[0]);
}

bool gt__picture_make(gt__picture *p, gt_journal *journal, bool open) {
    *p = (gt__picture){.journal = journal};
    return add_parts(p, open) && add_boxes(p) && add_wires(p) && place_all(p);
}

static void drop(const gt__picture *p, void *block, size_t count, size_t size) {
    if (block) gt_params_alloc(p->journal->params, block, count * size, 0);
}

void gt__picture_free(gt__picture *p) {
    for (uint32_t i = 0; i < p->n_levels; i++) {
        gt__level *v = &p->level[i];
        gt__layout_free(&v->layout);
        drop(p, v->layout.box, v->box_room, sizeof *v->layout.box);
        drop(p, v->box_part, v->part_room, sizeof *v->box_part);
        drop(p, v->layout.wire, v->wire_room, sizeof *v->layout.wire);
        drop(p, v->wire_gate, v->gate_room, sizeof *v->wire_gate);
    }
    drop(p, p->level, p->level_room, sizeof *p->level);
    drop(p, p->part, p->part_room, sizeof *p->part);
}
