/* demos/tiny/tiny_train.c: trains on a machine without the library, without malloc, in less than 64 KiB: the
 * emitted step, a source of points, a loop. Three arms of a spiral, as in demos/spiral.c. */
#include <stdio.h>

#include "tiny_step.c"

enum { BATCH = 32, CLASSES = 3, STEPS = 2000, REPORT = 400 };
typedef char
    fits_64_kib[TINY_ARENA_BYTES + TINY_STATE_BYTES + TINY_CONSTANT_BYTES <= 65536 ? 1 : -1];

static float point[BATCH * 2], loss, score[BATCH * CLASSES];
static int arm[BATCH];

/* Uniform in [0, 1): Knuth's MMIX generator. */
static double chance(void) {
    static unsigned long long state = 1;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 40) / 16777216;
}

static void draw_points(void) {
    for (int i = 0; i < BATCH; i++) {
        const double radius = chance(), noise = (chance() - 0.5) * 0.4;
        arm[i] = (int)(chance() * CLASSES);
        const double angle = 4 * (arm[i] + radius) + noise;
        point[2 * i] = (float)(radius * sin(angle));
        point[2 * i + 1] = (float)(radius * cos(angle));
    }
}

static int count_right(void) {
    int right = 0;
    for (int i = 0; i < BATCH; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (score[i * CLASSES + c] > score[i * CLASSES + best]) best = c;
        right += best == arm[i];
    }
    return right;
}

int main(void) {
    int right = 0;
    printf("working memory %d, parameters and optimizer %d, constants %d bytes\n", TINY_ARENA_BYTES,
           TINY_STATE_BYTES, TINY_CONSTANT_BYTES);
    for (int step = 0; step < STEPS; step++) {
        draw_points();
        if (tiny_run(point, arm, &loss, score) != 0) return 1;
        right += count_right();
        if (step % REPORT && step + 1 < STEPS) continue;
        printf("step %d loss %.4f right %.3f\n", step, (double)loss,
               (double)right / (BATCH * (step ? step % REPORT ? step % REPORT : REPORT : 1)));
        right = 0;
    }
    return 0;
}
