/* graph/params.c: the parameters: named, persistent, owned by gt_params. Their place in the table is
 * the id of their name less one. */
#include "graph/tape.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void *default_resize(void *user, void *block, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

gt_allocator gt_default_allocator(void) { return (gt_allocator){default_resize, NULL}; }

/* Passes on to the caller's allocator and counts the bytes in use. */
static void *counting_resize(void *user, void *block, size_t old_size, size_t new_size) {
    gt_params *params = user;
    void *result = params->base.resize(params->base.user, block, old_size, new_size);
    if (result || new_size == 0) params->bytes += new_size - (block ? old_size : 0);
    return result;
}

gt_params *gt_params_new(const gt_allocator *allocator, uint64_t seed) {
    const gt_allocator base = allocator ? *allocator : gt_default_allocator();
    gt_params *params = base.resize(base.user, NULL, 0, sizeof *params);
    if (!params) return NULL;
    memset(params, 0, sizeof *params);
    params->base = base;
    params->allocator = (gt_allocator){counting_resize, params};
    params->names.allocator = params->pool.allocator = &params->allocator;
    params->seed = seed;
    params->bytes = sizeof *params;
    return params;
}

void gt_params_free(gt_params *params) {
    if (!params) return;
    for (uint32_t i = 0; i < params->count; i++) {
        gt__pool_give(&params->pool, params->param[i].data);
        gt__pool_give(&params->pool, params->param[i].grad);
    }
    gt__pool_clear(&params->pool);
    gt__free(&params->allocator, params->param, params->room * sizeof *params->param);
    gt__table_clear(&params->names);
    params->base.resize(params->base.user, params, sizeof *params, 0);
}

size_t gt_params_memory(const gt_params *params) { return params ? params->bytes : 0; }
int gt_params_count(const gt_params *params) { return params ? (int)params->count : 0; }
void gt_params_freeze(gt_params *params, bool frozen) {
    if (params) params->frozen = frozen;
}
bool gt_params_frozen(const gt_params *params) { return params && params->frozen; }
uint64_t gt_params_ordinal(const gt_params *params) { return params ? params->ordinal : 0; }
void gt_params_set_ordinal(gt_params *params, uint64_t ordinal) {
    if (params) params->ordinal = ordinal;
}
uint64_t gt_params_seed(const gt_params *params) { return params ? params->seed : 0; }
const char *gt_params_error(const gt_params *params) {
    return params ? params->error : "no params";
}

bool gt_params_fail(gt_params *params, const char *format, ...) {
    if (!params) return false;
    va_list list;
    va_start(list, format);
    vsnprintf(params->error, sizeof params->error, format, list);
    va_end(list);
    return false;
}

static gt_param_info info_of(const gt__param *p) {
    return (gt_param_info){
        p->name, p->shape, p->dtype, p->trainable, p->buffer, p->data, p->has_grad ? p->grad : NULL,
        p->uses};
}

bool gt_params_at(const gt_params *params, int i, gt_param_info *info) {
    if (!params || i < 0 || (uint32_t)i >= params->count) return false;
    *info = info_of(&params->param[i]);
    return true;
}

static gt__param *find(const gt_params *params, const char *name) {
    const uint32_t id = gt__lookup(&params->names, name, strlen(name));
    return id && id <= params->count ? &params->param[id - 1] : NULL;
}

bool gt_params_find(const gt_params *params, const char *name, gt_param_info *info) {
    const gt__param *p = params && name ? find(params, name) : NULL;
    if (p) *info = info_of(p);
    return p != NULL;
}

bool gt_name_matches(const char *pattern, const char *name) {
    if (!pattern) return true;
    const char *star = NULL, *retry = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

void gt_set_trainable(gt_params *params, const char *pattern, bool trainable) {
    for (uint32_t i = 0; params && i < params->count; i++) {
        gt__param *p = &params->param[i];
        if (p->buffer || !gt_name_matches(pattern, p->name)) continue;
        p->trainable = trainable;
        if (!trainable) p->has_grad = false;
    }
}

void gt_zero_grad(gt_params *params, const char *pattern) {
    for (uint32_t i = 0; params && i < params->count; i++)
        if (gt_name_matches(pattern, params->param[i].name)) params->param[i].has_grad = false;
}

void gt_params_print(const gt_params *params, FILE *out) {
    char shape[200];
    for (uint32_t i = 0; params && out && i < params->count; i++) {
        const gt__param *p = &params->param[i];
        fprintf(out, "%-32s [%s] %s %s, used %u times\n", p->name,
                gt__shape_text(p->shape, shape, sizeof shape), gt_dtype_name(p->dtype),
                p->buffer      ? "buffer"
                : p->trainable ? "trainable"
                               : "fixed",
                p->uses);
    }
}

gt__param *gt__param_add(gt_params *params, const char *name, gt_shape shape, gt_dtype dtype,
                         bool buffer) {
    int64_t numel;
    if (!gt__checked_numel(shape, 8, &numel)) return NULL;
    if (!gt__grow(&params->allocator, &params->param, &params->room, (uint64_t)params->count + 1,
                  sizeof *params->param))
        return NULL;
    void *data = gt__pool_take(&params->pool, (size_t)numel * gt_dtype_size(dtype));
    if (!data) return NULL;
    /* A name whose parameter could not be made before may be in the table: it is the last one then. */
    const uint32_t id = gt__intern(&params->names, name, strlen(name));
    if (id == 0) {
        gt__pool_give(&params->pool, data);
        return NULL;
    }
    memset(data, 0, (size_t)numel * gt_dtype_size(dtype));
    gt__param *p = &params->param[params->count++];
    *p = (gt__param){.name = gt__bytes(&params->names, id, NULL),
                     .shape = shape,
                     .numel = numel,
                     .dtype = dtype,
                     .trainable = !buffer,
                     .buffer = buffer,
                     .data = data,
                     .written = params->clock};
    return p;
}

bool gt_param_set(gt_params *params, const char *name, gt_shape shape, gt_dtype dtype,
                  const void *data, bool trainable) {
    char have[200], want[200];
    int64_t numel;
    if (!params) return false;
    if (!name || !data)
        return gt_params_fail(params, "parameter without %s", name ? "data" : "name");
    if (shape.rank < 0 || shape.rank > GT_MAX_RANK || !gt__checked_numel(shape, 8, &numel))
        return gt_params_fail(params, "%s: not a shape", name);
    gt__shape_text(shape, want, sizeof want);
    gt__param *p = find(params, name);
    if (!p && params->frozen)
        return gt_params_fail(params, "%s: unknown name, and params are frozen", name);
    if (!p) p = gt__param_add(params, name, shape, dtype, !trainable);
    if (!p) return gt_params_fail(params, "out of memory: parameter %s[%s]", name, want);
    if (!gt_same_shape(p->shape, shape) || p->dtype != dtype)
        return gt_params_fail(params, "%s is %s[%s], given %s[%s]", name, gt_dtype_name(p->dtype),
                              gt__shape_text(p->shape, have, sizeof have), gt_dtype_name(dtype),
                              want);
    memcpy(p->data, data, (size_t)numel * gt_dtype_size(dtype));
    p->written = ++params->clock;
    return true;
}

void gt_params_truncate(gt_params *params, int count) {
    while (count >= 0 && params->count > (uint32_t)count) {
        const gt__param *p = &params->param[--params->count];
        gt__pool_give(&params->pool, p->data);
        gt__pool_give(&params->pool, p->grad);
    }
    gt__table_truncate(&params->names, params->count);
}

void *gt_params_alloc(gt_params *params, void *block, size_t old_size, size_t new_size) {
    return gt__resize(&params->allocator, block, old_size, new_size);
}
