/* demos/common/progress.c: the progress bar. Needs POSIX for the steady clock and isatty. */
#define _POSIX_C_SOURCE 200809L
#include "common/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CELLS = 24 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value && *value;
}

static bool speaks_utf8(void) {
    const char *locale = is_set("LC_ALL")     ? getenv("LC_ALL")
                         : is_set("LC_CTYPE") ? getenv("LC_CTYPE")
                                              : getenv("LANG");
    return locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
}

progress progress_begin(const char *label, int64_t total, const char *unit) {
    const char *kind = getenv("TERM");
    progress p = {.label = label, .unit = unit, .total = total > 0 ? total : 1, .begun = seconds()};
    p.terminal = isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0;
    p.color = p.terminal && !is_set("NO_COLOR");
    p.blocks = p.terminal && speaks_utf8();
    return p;
}

double progress_rate(const progress *p) {
    const double spent = (p->paused > 0 ? p->paused : seconds()) - p->begun;
    return spent > 0 ? (double)p->total / spent : 0;
}

static const char *paint(const progress *p, const char *code) { return p->color ? code : ""; }

/* 60000 -> 60,000 */
static const char *grouped(double value, char *buffer, size_t size) {
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%.0f", value);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0) buffer[at++] = ',';
        buffer[at++] = digits[i];
    }
    buffer[at] = 0;
    return buffer;
}

/* Eighths of a cell where the terminal has the characters, whole cells elsewhere. */
static void draw_bar(const progress *p, double part) {
    static const char *const eighth[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    const int eighths = (int)(part * CELLS * 8);
    fputs(paint(p, "\033[36m"), stdout);
    if (!p->blocks) putchar('[');
    for (int cell = 0; cell < CELLS; cell++) {
        const int fill = eighths - 8 * cell;
        if (p->blocks) {
            fputs(eighth[fill <= 0 ? 0 : fill >= 8 ? 8 : fill], stdout);
        } else {
            putchar(fill >= 8 ? '=' : fill > 0 ? '>' : ' ');
        }
    }
    if (!p->blocks) putchar(']');
    fputs(paint(p, "\033[0m"), stdout);
}

void progress_show(progress *p, int64_t done, const char *format, ...) {
    const double now = seconds();
    if (!p->terminal || now - p->drawn < 0.1) return;
    p->drawn = now;
    const double part = done >= p->total ? 1 : (double)done / (double)p->total;
    const double rate = now > p->begun ? (double)done / (now - p->begun) : 0;
    char number[32];

    printf("\r%s ", p->label);
    draw_bar(p, part);
    printf(" %3.0f %%  %s", 100 * part, paint(p, "\033[2m"));
    printf("%s %s/s", grouped(rate, number, sizeof number), p->unit);
    if (rate > 0) printf("  %.0f s left", ((double)(p->total - done)) / rate);
    printf("%s  ", paint(p, "\033[0m"));
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    fputs("\033[K", stdout);
    fflush(stdout);
}

void progress_pause(progress *p) { p->paused = seconds(); }

void progress_end(progress *p, const char *format, ...) {
    if (p->paused <= 0) progress_pause(p);
    char number[32];
    printf("%s%s  ", p->terminal ? "\r" : "", p->label);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("  %s%s %s/s  %.1f s%s%s\n", paint(p, "\033[2m"),
           grouped(progress_rate(p), number, sizeof number), p->unit, p->paused - p->begun,
           paint(p, "\033[0m"), p->terminal ? "\033[K" : "");
    fflush(stdout);
}
