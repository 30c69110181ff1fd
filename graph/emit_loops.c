/* graph/emit_loops.c: element-wise operations as loops and statements, and what operations' own emission is
 * given: operands, loops, lines. */
#include <string.h>

#include "graph/emit.h"

/* ---- operands ------------------------------------------------------------------------------------------------ */

/* The constant array of a value that is known now; one element when all are alike. */
static void write_fixed(gt_emitter *e, uint32_t i) {
    gt__emitted *v = &e->value[i];
    gt__node *n = gt__node_at(e->tape, i);
    const int64_t count = v->uniform ? 1 : gt__shape(e->tape, n)->numel;
    if (v->written) return;
    v->written = true;
    gt__say(e, &e->fixed, "static const %s %s_fixed%u[%lld] = {", gt_emit_type((gt_dtype)n->dtype),
            e->name, i, (long long)count);
    gt__emit_elements(e, &e->fixed, (gt_dtype)n->dtype, gt__value(e->tape, i), count);
    gt__say(e, &e->fixed, "};\n");
    e->fixed_bytes += count * (int64_t)gt_dtype_size((gt_dtype)n->dtype);
}

static const char *array_of(gt_emitter *e, uint32_t base) {
    char *text = gt__emit_text(e);
    const gt__emitted *v = &e->value[base];
    const char *name = gt__bytes(&e->names, v->name, NULL);
    switch ((gt__home)v->home) {
    case GT__ARGUMENT:
        e->used[v->unit] = true;
        snprintf(text, GT__EMIT_TEXT, "in_%s", name);
        break;
    case GT__STATE: snprintf(text, GT__EMIT_TEXT, "%s_%s", e->name, name); break;
    case GT__FIXED:
        write_fixed(e, base);
        snprintf(text, GT__EMIT_TEXT, "%s_fixed%u", e->name, base);
        break;
    default:
        snprintf(text, GT__EMIT_TEXT, "%s_%s", e->name,
                 gt_dtype_name((gt_dtype)gt__emit_node(e, base)->dtype));
    }
    return text;
}

static int64_t start_of(const gt_emitter *e, uint32_t i) {
    return e->value[i].offset + e->value[e->value[i].base].place;
}

void gt__emit_array(gt_emitter *e, uint32_t i, gt_array *a) {
    const gt__node *n = gt__emit_node(e, i);
    const gt__emitted *v = &e->value[i];
    const int64_t *stride = gt__bytes(&e->tape->layouts, v->layout, NULL);
    *a = (gt_array){.dtype = (gt_dtype)n->dtype, .shape = *gt__emit_shape(e, i)};
    if (v->home == GT__FIXED && v->uniform) return;
    if (stride)
        memcpy(a->stride, stride, sizeof a->stride);
    else
        gt__contiguous(a);
}

static const char *pointer(gt_emitter *e, const char *array, int64_t start) {
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, start ? "(%s + %lld)" : "%s", array, (long long)start);
    return text;
}

const char *gt__emit_pointer(gt_emitter *e, uint32_t i) {
    if (gt__shape(e->tape, gt__emit_node(e, i))->numel > 0)
        return pointer(e, array_of(e, e->value[i].base), start_of(e, i));
    const gt_dtype dtype = (gt_dtype)gt__emit_node(e, i)->dtype;
    char *text = gt__emit_text(e);
    gt_emit_helper(e, "\nstatic const %s %s_none_%s[1] = {0};\n", gt_emit_type(dtype), e->name,
                   gt_dtype_name(dtype));
    snprintf(text, GT__EMIT_TEXT, "%s_none_%s", e->name, gt_dtype_name(dtype));
    return text;
}

/* ---- nests of loops ---------------------------------------------------------------------------------------- */

/* Loops over a shape; neighbouring axes that every operand goes through as through one are one loop. */
typedef struct nest {
    int count, axis[GT_MAX_RANK]; /* the last of the axes that a loop stands for */
    int64_t size[GT_MAX_RANK];
    gt_shape shape;
} nest;

/* Strides of an operand over the shape that it broadcasts to. */
static void strides_over(gt_emitter *e, uint32_t i, const gt_shape *shape, int64_t *stride) {
    gt_array a;
    gt__emit_array(e, i, &a);
    const int skip = shape->rank - a.shape.rank;
    for (int d = 0; d < shape->rank; d++)
        stride[d] = d < skip || a.shape.dim[d - skip] == 1 ? 0 : a.stride[d - skip];
}

/* Adds axis d; false when an operand keeps it apart from the loop before. */
static bool goes_on(gt_emitter *e, const nest *l, int d, uint32_t operand) {
    int64_t stride[GT_MAX_RANK] = {0};
    strides_over(e, operand, &l->shape, stride);
    return stride[l->axis[l->count - 1]] == stride[d] * l->shape.dim[d];
}

static bool all_go_on(gt_emitter *e, const nest *l, int d, const uint32_t *node, uint32_t count,
                      bool inputs) {
    for (uint32_t k = 0; k < count; k++) {
        const gt__node *n = gt__emit_node(e, node[k]);
        const uint32_t *in = inputs ? gt__in(e->tape, n) : &node[k];
        const uint32_t n_in = inputs ? gt__n_in(n) : 1;
        for (uint32_t i = 0; i < n_in; i++)
            if (!goes_on(e, l, d, in[i])) return false;
    }
    return true;
}

/* Loops for nodes, or for their inputs. */
static nest nest_over(gt_emitter *e, gt_shape shape, const uint32_t *node, uint32_t count,
                      bool inputs) {
    nest l = {.shape = shape};
    for (int d = 0; d < shape.rank; d++) {
        if (shape.dim[d] == 1) continue;
        if (l.count && all_go_on(e, &l, d, node, count, inputs)) {
            l.size[l.count - 1] *= shape.dim[d];
        } else {
            l.size[l.count++] = shape.dim[d];
        }
        l.axis[l.count - 1] = d;
    }
    return l;
}

const char *gt_emit_index(gt_emitter *e, int count, const int64_t *stride) {
    char *text = gt__emit_text(e);
    size_t used = 0;
    for (int c = 0; c < count && used + 40 < GT__EMIT_TEXT; c++) {
        if (stride[c] == 0) continue;
        const char *sign = stride[c] < 0 ? used ? " - " : "-" : used ? " + " : "";
        const int64_t step = stride[c] < 0 ? -stride[c] : stride[c];
        used += (size_t)snprintf(text + used, GT__EMIT_TEXT - used,
                                 step == 1 ? "%si%d" : "%si%d * %lld", sign, c, (long long)step);
    }
    if (!used) snprintf(text, GT__EMIT_TEXT, "0");
    return text;
}

static const char *place_in(gt_emitter *e, int64_t start, int count, const int64_t *stride) {
    const char *index = gt_emit_index(e, count, stride);
    char *text = gt__emit_text(e);
    if (!start) return index;
    if (strcmp(index, "0") == 0)
        snprintf(text, GT__EMIT_TEXT, "%lld", (long long)start);
    else
        snprintf(text, GT__EMIT_TEXT, "%lld%s%s", (long long)start, index[0] == '-' ? " " : " + ",
                 index);
    return text;
}

/* Operand i in memory, at the present place of the loops. */
static const char *element(gt_emitter *e, const nest *l, uint32_t i) {
    int64_t over[GT_MAX_RANK], stride[GT_MAX_RANK];
    strides_over(e, i, &l->shape, over);
    for (int c = 0; c < l->count; c++) stride[c] = over[l->axis[c]];
    const char *array = array_of(e, e->value[i].base);
    const char *place = place_in(e, start_of(e, i), l->count, stride);
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, "%s[%s]", array, place);
    return text;
}

static bool is_fixed_number(const gt_emitter *e, uint32_t i) {
    return e->value[i].home == GT__FIXED && e->value[i].uniform;
}

/* A compiler computes functions of constants itself, perhaps rounded otherwise: it must not see them. */
static const char *hidden(gt_emitter *e, gt_dtype dtype, const char *literal) {
    char key[GT__EMIT_TEXT];
    const char *type = gt_emit_type(dtype);
    snprintf(key, sizeof key, "%s %s", type, literal);
    const bool known = gt__lookup(&e->names, key, strlen(key)) != 0;
    const uint32_t id = gt__intern(&e->names, key, strlen(key));
    if (!id) e->starved = true;
    if (!known)
        gt__say(e, &e->fixed, "static const volatile %s %s_number%u = %s;\n", type, e->name, id,
                literal);
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, "%s_number%u", e->name, id);
    return text;
}

static const char *operand(gt_emitter *e, const nest *l, uint32_t i, bool hide) {
    const gt__emitted *v = &e->value[i], *base = &e->value[v->base];
    const gt_dtype dtype = (gt_dtype)gt__emit_node(e, i)->dtype;
    if (is_fixed_number(e, i)) {
        const char *text = gt_emit_literal(e, dtype, gt__value(e->tape, i), 0);
        return hide ? hidden(e, dtype, text) : text;
    }
    const bool here = base->home == GT__COMPUTED && base->local &&
                      (base->unit == e->present || (gt__emit_shape(e, v->base)->rank == 0 &&
                                                    e->unit[base->unit].function == e->function));
    if (!here) return element(e, l, i);
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, "v%u", v->base);
    return text;
}

/* ---- expressions --------------------------------------------------------------------------------------------- */

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static bool calls_functions(const char *text) {
    for (const char *c = text; *c; c++)
        if (c[0] >= 'a' && c[0] <= 'z' && c[1] >= 'a' && c[1] <= 'z') return true;
    return false;
}

/* A number of an operation as its kernel takes it. */
static const char *number_of(gt_emitter *e, gt_dtype dtype, double v, bool hide) {
    const union {
        float f32;
        double f64;
        int32_t i32;
        int64_t i64;
    } number = {.f64 = v}, single = {.f32 = (float)v}, whole = {.i64 = (int64_t)v},
      small = {.i32 = (int32_t)v};
    const void *data = dtype == GT_F64   ? (const void *)&number
                       : dtype == GT_F32 ? (const void *)&single
                       : dtype == GT_I64 ? (const void *)&whole
                                         : (const void *)&small;
    const char *text = gt_emit_literal(e, dtype, data, 0);
    return hide ? hidden(e, dtype, text) : text;
}

/* A row's expression in the words of ops.def: x, or a, b, c; numbers p, q; K(c); functions, which have another
 * name for float. Numbers are no words: they begin with a digit. */
static void say_row(gt_emitter *e, const char *row, gt_dtype dtype, const char *const *in,
                    const gt_arg *number, bool hide) {
    static const char letters[] = "xabc";
    for (const char *c = row; *c;) {
        size_t length = 1;
        if (is_word(*c))
            while (is_word(c[length]) || (c[0] >= '0' && c[0] <= '9' && c[length] == '.')) length++;
        const char *found = length == 1 ? strchr(letters, *c) : NULL;
        if (found)
            gt__say(e, &e->part, "%s", in[found == letters ? 0 : found - letters - 1]);
        else if (length == 1 && (*c == 'p' || *c == 'q'))
            gt__say(e, &e->part, "%s", number_of(e, dtype, number[*c - 'p'].real, hide));
        else if (length == 1 && *c == 'K')
            gt__say(e, &e->part, "(%s)", gt_emit_type(dtype));
        else
            gt__say_bytes(e, &e->part, c, length);
        if (length > 1 && c[length] == '(' && dtype == GT_F32) gt__say(e, &e->part, "f");
        c += length;
    }
}

/* A number's test for 0 is said to be rare, and its letter skipped: compilers would take it for the common case of
 * straight code, and jump for every other. Loops are left as they are: vectors do not jump. */
static const char *say_rare_test(gt_emitter *e, const char *row, const char *const *in) {
    static const char test[] = " == 0 ?";
    const int k = row[0] == 'b' ? 1 : row[0] == 'c' ? 2 : 0;
    if (row[0] == 0 || strncmp(row + 1, test, strlen(test)) != 0) return row;
    gt__say(e, &e->part, "%s_RARE(%s == 0) ?", e->upper, in[k]);
    return row + 1 + strlen(test);
}

/* A row of two equal operands that are no floats: compilers warn of comparing a thing with itself. */
static bool is_twice_the_same(const gt_emitter *e, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t *in = gt__in(e->tape, n);
    return gt__n_in(n) == 2 && in[0] == in[1] && !(n->op->more.traits & GT_SUMS) &&
           !gt_dtype_is_float((gt_dtype)gt__emit_node(e, in[0])->dtype);
}

static void say_element_wise(gt_emitter *e, const nest *l, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t *in = gt__in(e->tape, n), n_in = gt__n_in(n);
    const char *text = n->op->more.forward_text, *x[3] = {"", "", ""};
    const gt_dtype dtype = (gt_dtype)gt__emit_node(e, in[n_in - 1])->dtype;
    const bool hide = calls_functions(text);
    char again[40];
    snprintf(again, sizeof again, "w%u", i);
    for (uint32_t k = 0; k < n_in; k++) x[k] = operand(e, l, in[k], hide);
    if (is_twice_the_same(e, i)) x[1] = again;
    if (n->dtype == GT_BOOL) gt__say(e, &e->part, "(unsigned char)(");
    if (l->count == 0) text = say_rare_test(e, text, x);
    say_row(e, text, dtype, x, e->tape->arg + n->arg, hide);
    if (n->dtype == GT_BOOL) gt__say(e, &e->part, ")");
}

/* The operation's own expression. */
static void say_special(gt_emitter *e, const nest *l, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    gt_array in[3], out;
    for (uint32_t k = 0; k < gt__n_in(n); k++) gt__emit_array(e, gt__in(e->tape, n)[k], &in[k]);
    gt__emit_array(e, i, &out);
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&e->tape->attrs, n->attr, NULL),
                          .arg = e->tape->arg + n->arg,
                          .n_in = (int)gt__n_in(n),
                          .n_out = 1,
                          .in = in,
                          .out = &out};
    e->call = &call;
    e->operand = gt__in(e->tape, n);
    e->loops = l;
    n->op->more.emit(e, &call);
    e->call = NULL;
}

/* Addition goes from left to right; the first summands, then some more in each statement. */
enum { SUMMANDS = 64 };

static void say_summands(gt_emitter *e, const nest *l, uint32_t i, uint32_t from) {
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t *in = gt__in(e->tape, n), n_in = gt__n_in(n);
    for (uint32_t k = from; k < n_in && k < from + SUMMANDS; k++)
        gt__say(e, &e->part, " + %s", operand(e, l, in[k], false));
}

/* Sums begin at +0, which only keeps -0 from being one: of two summands the older one may as well be added to it, so
 * that the other, on which a chain waits, goes through one addition. */
static void say_sum(gt_emitter *e, const nest *l, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t *in = gt__in(e->tape, n);
    if (gt__n_in(n) == 2 && in[0] > in[1]) {
        gt__say(e, &e->part, "%s + ", operand(e, l, in[0], false));
        gt__say(e, &e->part, "(0 + %s)", operand(e, l, in[1], false));
        return;
    }
    gt__say(e, &e->part, "0");
    say_summands(e, l, i, 0);
}

static void say_value(gt_emitter *e, const nest *l, uint32_t i) {
    const gt_op_more *more = &gt__emit_node(e, i)->op->more;
    if (more->traits & GT_SUMS) {
        say_sum(e, l, i);
    } else if (more->emit) {
        say_special(e, l, i);
    } else {
        say_element_wise(e, l, i);
    }
}

/* ---- statements ---------------------------------------------------------------------------------------------- */

static void indent(gt_emitter *e) {
    for (int k = 0; k < e->depth; k++) gt__say(e, &e->part, "    ");
}

void gt_emit(gt_emitter *e, const char *format, ...) {
    const bool line = !e->call || !(e->call->op->more.traits & GT_ELEMENTWISE);
    va_list list;
    if (line && format[0] == '}') e->depth--;
    if (line) indent(e);
    va_start(list, format);
    gt__say_list(e, &e->part, format, list);
    va_end(list);
    if (!line) return;
    const size_t length = strlen(format);
    if (length && format[length - 1] == '{') e->depth++;
    gt__say(e, &e->part, "\n");
}

void gt_emit_loops(gt_emitter *e, int first, int count, const int64_t *size) {
    for (int c = first; c < first + count; c++)
        gt_emit(e, "for (long i%d = 0; i%d < %lld; i%d++) {", c, c, (long long)size[c - first], c);
}

void gt_emit_end(gt_emitter *e, int count) {
    for (int c = 0; c < count; c++) gt_emit(e, "}");
}

const char *gt_emit_in(gt_emitter *e, int k) {
    const uint32_t i = e->operand[k];
    if (e->call->op->more.traits & GT_ELEMENTWISE) return operand(e, e->loops, i, false);
    if (e->copy[k] < 0) return gt__emit_pointer(e, i);
    char *array = gt__emit_text(e);
    snprintf(array, GT__EMIT_TEXT, "%s_%s", e->name, gt_dtype_name(e->call->in[k].dtype));
    return pointer(e, array, e->copy[k]);
}

const char *gt_emit_out(gt_emitter *e, int k) {
    return gt__emit_pointer(e, e->result + (uint32_t)k);
}

const char *gt_emit_scratch(gt_emitter *e, gt_dtype dtype, int64_t count) {
    char *array = gt__emit_text(e);
    e->scratch = (gt__scratch){dtype, gt__space_take(e, dtype, count), count};
    snprintf(array, GT__EMIT_TEXT, "%s_%s", e->name, gt_dtype_name(dtype));
    return pointer(e, array, e->scratch.from);
}

const char *gt_emit_name(const gt_emitter *e) { return e->name; }

/* The text of a helper is its own key. */
void gt_emit_helper(gt_emitter *e, const char *format, ...) {
    const uint32_t before = e->helpers.used;
    va_list list;
    va_start(list, format);
    gt__say_list(e, &e->helpers, format, list);
    va_end(list);
    if (e->starved) return;
    const char *text = e->helpers.at + before;
    const uint32_t length = e->helpers.used - before;
    if (gt__lookup(&e->names, text, length)) {
        e->helpers.used = before;
    } else if (!gt__intern(&e->names, text, length)) {
        e->starved = true;
    }
}

/* `const float v5 = ...;` where a variable is read, `step_f32[3] = ...;` where the array is. */
static void statement(gt_emitter *e, const nest *l, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    const char *type = gt_emit_type((gt_dtype)n->dtype);
    const uint32_t n_in = gt__n_in(n);
    const bool rest = n->op->more.traits & GT_SUMS && n_in > SUMMANDS;
    const bool variable = e->value[i].local || rest;
    if (is_twice_the_same(e, i))
        gt_emit(e, "const %s w%u = %s;",
                gt_emit_type((gt_dtype)gt__emit_node(e, gt__in(e->tape, n)[0])->dtype), i,
                operand(e, l, gt__in(e->tape, n)[0], false));
    indent(e);
    if (variable)
        gt__say(e, &e->part, "%s%s v%u = ", rest ? "" : "const ", type, i);
    else
        gt__say(e, &e->part, "%s = ", element(e, l, i));
    say_value(e, l, i);
    gt__say(e, &e->part, ";\n");
    for (uint32_t k = SUMMANDS; rest && k < n_in; k += SUMMANDS) {
        indent(e);
        gt__say(e, &e->part, "v%u = v%u", i, i);
        say_summands(e, l, i, k);
        gt__say(e, &e->part, ";\n");
    }
    if (variable && e->value[i].memory) gt_emit(e, "%s = v%u;", element(e, l, i), i);
}

void gt__emit_unit(gt_emitter *e, const gt__unit *unit) {
    const uint32_t *member = e->order + unit->first;
    const nest l = nest_over(e, *gt__emit_shape(e, member[0]), member, unit->count, true);
    gt_emit_loops(e, 0, l.count, l.size);
    for (uint32_t k = 0; k < unit->count; k++) statement(e, &l, member[k]);
    gt_emit_end(e, l.count);
}

void gt__emit_copy(gt_emitter *e, const char *array, int64_t place, uint32_t i) {
    const nest l = nest_over(e, *gt__emit_shape(e, i), &i, 1, false);
    int64_t stride[GT_MAX_RANK], step = 1;
    for (int c = l.count - 1; c >= 0; c--) {
        stride[c] = step;
        step *= l.size[c];
    }
    gt_emit_loops(e, 0, l.count, l.size);
    gt_emit(e, "%s[%s] = %s;", array, place_in(e, place, l.count, stride),
            operand(e, &l, i, false));
    gt_emit_end(e, l.count);
}
