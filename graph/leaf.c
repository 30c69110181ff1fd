/* graph/leaf.c: the leaves of a tape: inputs, borrowed buffers, parameters; and writing to them. */
#include "graph/tape.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A leaf computes nothing: this only gives it a name where others have an operation's. */
static const gt_op input_leaf = {.name = "input"};
static const gt_op param_leaf = {.name = "param"};

void *gt__value(const gt_tape *tape, uint32_t i) {
    gt__node *n = gt__node_at(tape, i);
    if (n->flags & GT__PARAM) return gt__param_of(tape, n)->data;
    if (!(n->flags & (GT__LEAF | GT__STORED)))
        return gt__is_number(tape, i) ? &tape->scalars.value[i] : NULL;
    if (gt__shape(tape, n)->shape.rank == 0 && !(n->flags & GT__BORROWED)) return &n->value;
    return n->value.data;
}

void gt__give_value(gt_tape *tape, gt__node *n) {
    if (gt__shape(tape, n)->shape.rank > 0) gt__pool_give(&tape->pool, n->value.data);
}

uint32_t gt__leaf_written(const gt_tape *tape, const gt__node *leaf) {
    return leaf->flags & GT__PARAM ? gt__param_of(tape, leaf)->written : leaf->clock;
}

void gt__leaf_write(gt_tape *tape, uint32_t i, const void *data) {
    gt__node *leaf = gt__node_at(tape, i);
    const size_t bytes =
        (size_t)gt__shape(tape, leaf)->numel * gt_dtype_size((gt_dtype)leaf->dtype);
    void *value = gt__value(tape, i);
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): whoever calls has data for every byte
    if (bytes && value != data) memmove(value, data, bytes);
    if (leaf->flags & GT__PARAM)
        gt__param_of(tape, leaf)->written = tape->params->clock;
    else
        leaf->clock = tape->params->clock;
}

bool gt_set(gt_tensor leaf, const void *data) {
    if (!gt__check(leaf, "set")) return false;
    gt__node *n = gt__node_at(leaf.tape, leaf.index);
    char name[300];
    gt__describe(leaf.tape, leaf.index, name, sizeof name);
    if (!(n->flags & GT__LEAF)) {
        gt_fail(leaf.tape, "set: %s is computed: only a leaf can be set", name);
        return false;
    }
    if (n->flags & GT__BORROWED) {
        gt_fail(leaf.tape, "set: %s is borrowed: its memory is the caller's", name);
        return false;
    }
    if (!data && gt__shape(leaf.tape, n)->numel) {
        gt_fail(leaf.tape, "set: no data for %s", name);
        return false;
    }
    leaf.tape->params->clock++;
    gt__leaf_write(leaf.tape, leaf.index, data);
    return true;
}

/* ---- inputs --------------------------------------------------------------------------------------- */

static gt_tensor new_input(gt_tape *tape, const char *who, const void *data, gt_shape shape,
                           gt_dtype dtype, bool copy) {
    if (!tape) return gt_none();
    if ((unsigned)dtype >= GT_N_DTYPES) return gt_fail(tape, "%s: %d is no dtype", who, (int)dtype);
    const uint32_t id = gt__intern_shape(tape, shape);
    if (id == 0) return gt__poison(tape);
    const gt__shape_entry *entry = gt__bytes(&tape->shapes, id, NULL);
    if (!data && entry->numel) {
        char text[200];
        return gt_fail(tape, "%s: no data for shape [%s]", who,
                       gt__shape_text(shape, text, sizeof text));
    }
    const size_t bytes = (size_t)entry->numel * gt_dtype_size(dtype);
    const bool scalar = entry->shape.rank == 0;
    void *block = NULL;
    if (copy && !scalar) {
        block = gt__pool_take(&tape->pool, bytes);
        if (!block) return gt__out_of_memory(tape, "an input"), gt__poison(tape);
        if (bytes) memcpy(block, data, bytes);
        if (!gt__grow(tape->allocator, &tape->stored, &tape->stored_room,
                      (uint64_t)tape->n_stored + 1, sizeof *tape->stored)) {
            gt__pool_give(&tape->pool, block);
            return gt__out_of_memory(tape, "an input"), gt__poison(tape);
        }
    }
    gt__node *n = gt__append(tape, &input_leaf, id, dtype);
    if (!n) return gt__pool_give(&tape->pool, block), gt__poison(tape);
    n->flags |= GT__LEAF;
    gt__unset(n, GT__RULE);
    n->clock = 0;
    if (!data) data = n; /* no elements: any address but NULL, which would mean an error */
    if (block) tape->stored[tape->n_stored++] = tape->size - 1;
    if (!copy) n->flags |= GT__BORROWED;
    if (copy && scalar)
        memcpy(&n->value, data, bytes);
    else if (copy)
        n->value.data = block;
    else
        memcpy(&n->value.data, &data, sizeof data); /* never written through: see GT__BORROWED */
    return gt__tensor(tape, tape->size - 1);
}

gt_tensor gt_input(gt_tape *tape, const void *data, gt_shape shape, gt_dtype dtype) {
    return new_input(tape, "input", data, shape, dtype, true);
}

gt_tensor gt_borrow(gt_tape *tape, const void *data, gt_shape shape, gt_dtype dtype) {
    return new_input(tape, "borrow", data, shape, dtype, false);
}

/* ---- parameters ------------------------------------------------------------------------------------ */

static uint32_t place_of(const gt_tape *tape, const gt__param *p) {
    return (uint32_t)(p - tape->params->param);
}

static gt_tensor leaf_of(gt_tape *tape, const gt__param *p) {
    const uint32_t place = place_of(tape, p);
    const uint32_t before = tape->use_room;
    if (!gt__grow(tape->allocator, &tape->use, &tape->use_room, (uint64_t)place + 1,
                  sizeof *tape->use))
        return gt__out_of_memory(tape, "parameter leaves"), gt__poison(tape);
    if (tape->use_room > before)
        memset(tape->use + before, 0, (tape->use_room - before) * sizeof *tape->use);
    const uint32_t known = tape->use[place].leaf;
    if (known && known <= tape->size) {
        const gt__node *n = gt__node_at(tape, known - 1);
        if (n->flags & GT__PARAM && n->arg == place) return gt__tensor(tape, known - 1);
    }
    const uint32_t shape = gt__intern_shape(tape, p->shape);
    gt__node *n = shape ? gt__append(tape, &param_leaf, shape, p->dtype) : NULL;
    if (!n) return gt__poison(tape);
    n->flags |= GT__LEAF | GT__PARAM;
    gt__unset(n, GT__RULE);
    if (p->trainable) n->flags |= GT__TRAINED;
    n->arg = place;
    tape->use[place].leaf = tape->size;
    return gt__tensor(tape, tape->size - 1);
}

/* Levenshtein distance, bounded by the buffer: only used to suggest a name. */
static int distance(const char *a, const char *b) {
    enum { LONGEST = 64 };
    int row[LONGEST + 1];
    const int n = (int)strlen(b) < LONGEST ? (int)strlen(b) : LONGEST;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 0; i < LONGEST && a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            int best = diagonal + (a[i] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

static gt_tensor unknown_name(gt_tape *tape, const char *name) {
    const gt_params *params = tape->params;
    char near[512] = "";
    size_t used = 0;
    const char *shown[3] = {NULL};
    for (int k = 0; k < 3; k++) {
        int best = 1 << 20;
        for (uint32_t i = 0; i < params->count; i++) {
            const char *other = params->param[i].name;
            const int d = distance(name, other);
            if (d < best && other != shown[0] && other != shown[1]) {
                best = d;
                shown[k] = other;
            }
        }
        if (shown[k] && used < sizeof near)
            used +=
                (size_t)snprintf(near + used, sizeof near - used, "%s%s", k ? ", " : "", shown[k]);
    }
    return gt_fail(tape, "parameter %s is unknown; the nearest names are: %s", name,
                   near[0] ? near : "(none)");
}

static uint64_t name_key(uint64_t seed, const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    while (*name) hash = (hash ^ (unsigned char)*name++) * 0x100000001b3u;
    uint32_t word[4];
    gt_philox(seed, hash, 0, word);
    return (uint64_t)word[0] << 32 | word[1];
}

static void store_values(gt__param *p, const double *values) {
    for (int64_t i = 0; i < p->numel; i++) {
        if (p->dtype == GT_F64)
            ((double *)p->data)[i] = values[i];
        else
            ((float *)p->data)[i] = (float)values[i];
    }
}

/* A new parameter with init's values, or a buffer of zeros when init is NULL. */
static gt__param *create(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype,
                         const gt_init *init) {
    const size_t bytes = ((size_t)gt_numel(shape) + 1) * sizeof(double);
    double *values = NULL;
    gt__param *p = NULL;
    bool ok = true;
    if (init && init->fill) {
        values = gt__alloc(tape->allocator, bytes);
        ok = values && init->fill(init, shape, name_key(tape->params->seed, name), values);
    }
    if (ok) p = gt__param_add(tape->params, name, shape, dtype, init == NULL);
    if (p && values) store_values(p, values);
    gt__free(tape->allocator, values, bytes);
    if (!p) gt__out_of_memory(tape, "a parameter");
    return p;
}

static bool full_name(gt_tape *tape, const char *name, char *buffer, size_t size) {
    const bool absolute = name[0] == '/';
    const int length = snprintf(buffer, size, "%.*s%s", absolute ? 0 : (int)tape->scope_size,
                                tape->scope ? tape->scope : "", name + absolute);
    if (length < 0 || (size_t)length >= size) {
        gt_fail(tape, "parameter name too long: %.60s...", buffer);
        return false;
    }
    return true;
}

static gt_tensor named_leaf(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype,
                            const gt_init *init) {
    char full[512], have[200], want[200];
    if (!tape) return gt_none();
    if (!name || !name[0]) return gt_fail(tape, "parameter without a name");
    if (!full_name(tape, name, full, sizeof full)) return gt__poison(tape);
    if (!gt__intern_shape(tape, shape)) return gt__poison(tape);
    const bool trainable = init != NULL;
    if (trainable ? dtype != GT_F32 && dtype != GT_F64 : (unsigned)dtype >= GT_N_DTYPES)
        return gt_fail(tape, "parameter %s: %s is no dtype of a %s", full,
                       (unsigned)dtype < GT_N_DTYPES ? gt_dtype_name(dtype) : "?",
                       trainable ? "trainable parameter (f32 or f64)" : "buffer");
    gt__shape_text(shape, want, sizeof want);
    gt__param *p = NULL;
    const uint32_t id = gt__lookup(&tape->params->names, full, strlen(full));
    if (id && id <= tape->params->count) p = &tape->params->param[id - 1];
    /* After an error names and shapes may be wrong: nothing that outlives the tape is made of them. */
    if (!p && tape->failed) return gt__poison(tape);
    /* An optimizer may add its state to loaded parameters; a network may not add parameters. */
    if (!p && tape->params->frozen && (trainable || tape->recorder == GT_BY_USER))
        return unknown_name(tape, full);
    if (!p) p = create(tape, full, shape, dtype, init);
    if (!p) return gt__poison(tape);
    if (!gt_same_shape(p->shape, shape) || p->dtype != dtype)
        return gt_fail(tape, "parameter %s is %s[%s], asked for as %s[%s]", full,
                       gt_dtype_name(p->dtype), gt__shape_text(p->shape, have, sizeof have),
                       gt_dtype_name(dtype), want);
    if (p->buffer == trainable)
        return gt_fail(tape, "%s is a %s, asked for as a %s", full,
                       p->buffer ? "buffer" : "parameter", trainable ? "parameter" : "buffer");
    const gt_tensor leaf = leaf_of(tape, p);
    if (gt__valid(leaf)) {
        p->uses++;
        tape->use[place_of(tape, p)].uses++;
    }
    return leaf;
}

gt_tensor gt_param(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype, gt_init init) {
    return named_leaf(tape, name, shape, dtype, &init);
}

gt_tensor gt_buffer(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype) {
    return named_leaf(tape, name, shape, dtype, NULL);
}

gt_tensor gt_param_leaf(gt_tape *tape, const char *name) {
    if (!tape) return gt_none();
    if (!name) return gt_fail(tape, "parameter without a name");
    const uint32_t id = gt__lookup(&tape->params->names, name, strlen(name));
    if (id == 0 || id > tape->params->count) return unknown_name(tape, name);
    /* Found by its full name by an optimizer or a test: no layer used it. */
    return leaf_of(tape, &tape->params->param[id - 1]);
}

void gt_scope_push(gt_tape *tape, const char *format, ...) {
    if (!tape) return;
    char text[256];
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (length <= 0 || (size_t)length >= sizeof text || strchr(text, '/')) {
        gt_fail(tape, "scope: a name of 1 to 255 characters without '/' is needed");
        tape->scopes_lost++;
        return;
    }
    if (!gt__grow(tape->allocator, &tape->scope, &tape->scope_room,
                  (uint64_t)tape->scope_size + (uint64_t)length + 1, 1)) {
        gt__out_of_memory(tape, "a scope");
        tape->scopes_lost++;
        return;
    }
    memcpy(tape->scope + tape->scope_size, text, (size_t)length);
    tape->scope_size += (uint32_t)length;
    tape->scope[tape->scope_size++] = '/';
}

void gt_scope_pop(gt_tape *tape) {
    if (!tape) return;
    if (tape->scopes_lost) { /* else it would end the scope around the one that failed */
        tape->scopes_lost--;
        return;
    }
    if (tape->scope_size == 0) {
        gt_fail(tape, "scope: pop without push");
        return;
    }
    tape->scope_size--;
    while (tape->scope_size && tape->scope[tape->scope_size - 1] != '/') tape->scope_size--;
}

/* ---- gradients of parameters ------------------------------------------------------------------------ */

/* The gradient of a bf16 parameter is f32. */
static size_t gradient_bytes(const gt__param *p) {
    return (size_t)p->numel * gt_dtype_size(p->dtype == GT_BF16 ? GT_F32 : p->dtype);
}

bool gt_param_prepare_grad(gt_tensor leaf) {
    if (!gt_is_trainable(leaf)) return gt__error(leaf.tape, "no trainable parameter");
    gt__param *p = gt__param_of(leaf.tape, gt__node_at(leaf.tape, leaf.index));
    if (!p->grad) p->grad = gt__pool_take(&leaf.tape->params->pool, gradient_bytes(p));
    return p->grad || gt__out_of_memory(leaf.tape, "a gradient");
}

void gt_param_add_grad(gt_tensor leaf, const void *values) {
    gt__param *p = gt__param_of(leaf.tape, gt__node_at(leaf.tape, leaf.index));
    const size_t bytes = gradient_bytes(p);
    if (!p->has_grad && bytes)
        memcpy(p->grad, values, bytes);
    else if (p->dtype == GT_F64)
        for (int64_t i = 0; i < p->numel; i++)
            ((double *)p->grad)[i] += ((const double *)values)[i];
    else
        for (int64_t i = 0; i < p->numel; i++) ((float *)p->grad)[i] += ((const float *)values)[i];
    p->has_grad = true;
}
