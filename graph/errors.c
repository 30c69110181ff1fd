/* graph/errors.c: the first error of a tape, and the names and shapes that messages speak in. */
#include "graph/tape.h"

#include <stdarg.h>
#include <string.h>

/* ---- errors ----------------------------------------------------------------------------------- */

gt_tensor gt__poison(gt_tape *tape) { return (gt_tensor){tape, UINT32_MAX, 0}; }
gt_tensor gt_none(void) { return (gt_tensor){NULL, 0, 0}; }
bool gt_is_none(gt_tensor t) { return t.tape == NULL; }
bool gt_failed(const gt_tape *tape) { return !tape || tape->failed; }
const char *gt_error(const gt_tape *tape) {
    return !tape ? "no tape" : tape->failed ? tape->message : "";
}

void gt_on_error(gt_tape *tape, void (*hook)(void *user, const char *message), void *user) {
    if (!tape) return;
    tape->hook = hook;
    tape->hook_user = user;
}

static void fail(gt_tape *tape, const char *format, va_list list) {
    if (tape->failed) return;
    tape->failed = true;
    tape->failed_at = tape->size;
    tape->n_errors++;
    vsnprintf(tape->message, sizeof tape->message, format, list);
    if (tape->hook) tape->hook(tape->hook_user, tape->message);
}

bool gt__error(gt_tape *tape, const char *format, ...) {
    if (!tape) return false;
    va_list list;
    va_start(list, format);
    fail(tape, format, list);
    va_end(list);
    return false;
}

bool gt__out_of_memory(gt_tape *tape, const char *what) {
    return gt__error(tape, "out of memory: %s", what);
}

gt_tensor gt_fail(gt_tape *tape, const char *format, ...) {
    if (!tape) return gt_none();
    char message[GT__MESSAGE], where[256] = "";
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    if (tape->site.file)
        snprintf(where, sizeof where, " (%s:%lld)", tape->site.file, (long long)tape->site.line);
    else if (tape->dated)
        gt__site_text(tape, tape->dated_site, where, sizeof where);
    gt__error(tape, "%s%s", message, where);
    return gt__poison(tape);
}

bool gt__check(gt_tensor t, const char *who) {
    if (!t.tape) return false;
    if (gt__valid(t)) return true;
    if (t.index == UINT32_MAX)
        return gt__error(t.tape, "%s: given the result of a failed operation", who);
    gt_fail(t.tape, "%s: tensor was rewound: node %u of an earlier recording", who, t.index);
    return false;
}

/* ---- texts -------------------------------------------------------------------------------------- */

const char *gt_label(gt_tensor t, char *buffer, size_t size) {
    if (!gt__valid(t)) {
        snprintf(buffer, size, "poison");
        return buffer;
    }
    const gt__node *n = gt__node_at(t.tape, t.index);
    while (n->flags & GT__CAST && !n->name) {
        t.index = n->in[0];
        n = gt__node_at(t.tape, t.index);
    }
    const char *name = gt__bytes(&t.tape->names, n->name, NULL);
    if (!name && (n->flags & GT__PARAM)) name = gt__param_of(t.tape, n)->name;
    if (name)
        snprintf(buffer, size, "%s", name);
    else
        snprintf(buffer, size, "%s#%u", n->op->name, t.index);
    return buffer;
}

const char *gt__describe(gt_tape *tape, uint32_t index, char *buffer, size_t size) {
    char shape[200];
    gt_label(gt__tensor(tape, index), buffer, size);
    const size_t used = strlen(buffer);
    gt__shape_text(gt__shape(tape, gt__node_at(tape, index))->shape, shape, sizeof shape);
    snprintf(buffer + used, size - used, "[%s]", shape);
    return buffer;
}

const char *gt__site_text(const gt_tape *tape, uint32_t site, char *buffer, size_t size) {
    const gt_site *s = gt__bytes(&tape->sites, site, NULL);
    buffer[0] = 0;
    if (s && s->file) snprintf(buffer, size, " (%s:%lld)", s->file, (long long)s->line);
    return buffer;
}

gt_tensor gt_name(gt_tensor t, const char *format, ...) {
    if (!gt__check(t, "name")) return t;
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const uint32_t id = gt__intern(&t.tape->names, text, strlen(text));
    if (id == 0) {
        gt__out_of_memory(t.tape, "a name");
        return gt__poison(t.tape);
    }
    gt__node_at(t.tape, t.index)->name = id;
    return t;
}

/* ---- from inside an operation ------------------------------------------------------------------------ */

const char *gt_operand(const gt_call *call, int k) {
    gt__context *c = call->internal;
    char *text = c->text[c->next_text++ % 4];
    if (k < 0 || k >= call->n_in) return "?";
    return gt__describe(c->tape, c->index[k], text, sizeof c->text[0]);
}

bool gt_call_fail(const gt_call *call, const char *format, ...) {
    const gt__context *c = call->internal;
    char message[GT__MESSAGE];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    const bool first = !c->tape->failed;
    gt_fail(c->tape, "%s: %s", call->op->name, message);
    if (first) c->tape->failed_at = c->node;
    return false;
}
