/* demos/gan.c: a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017) on a ring of eight
 * Gaussians. The critic learns to score data above samples; its slope between the two is held at 1
 * by a penalty on its own gradient, which the optimizer differentiates once more. The generator
 * learns from the critic's slope alone: it never sees a data point.
 *
 * A sample is near a mode within 4 of its standard deviations; a mode is covered that has at least
 * a quarter of its fair share of samples near it. */
#include "common/training.h"

#include <math.h>

enum { MODES = 8, BATCH = 256, NOISE = 2, WIDTH = 64, CRITIC_STEPS = 4, STEPS = 3000 };
enum { SHOWN = 2000, EVERY = 50, MARKS = STEPS / EVERY };
static const double TURN = 6.283185307179586;
static const double SPREAD = 0.05, PENALTY = 0.1, RATE = 2e-3, REACH = 1.5;
static double marked_step[MARKS], marked_distance[MARKS];
static int marks;

static gt_tensor generator(gt_tape *tape, int64_t count) {
    gt_scope_push(tape, "gen");
    gt_tensor x =
        gt_relu(gt_linear(gt_randn(tape, GT_SHAPE(count, NOISE), GT_F32), "hidden1", WIDTH));
    x = gt_relu(gt_linear(x, "hidden2", WIDTH));
    x = gt_linear(gt_relu(gt_linear(x, "hidden3", WIDTH)), "point", 2);
    gt_scope_pop(tape);
    return x;
}

static gt_tensor critic(gt_tensor x) {
    gt_scope_push(x.tape, "critic");
    x = gt_silu(gt_linear(x, "hidden1", WIDTH));
    x = gt_linear(gt_silu(gt_linear(x, "hidden2", WIDTH)), "score", 1);
    gt_scope_pop(x.tape);
    return x;
}

static gt_tensor mean(gt_tensor x) { return gt_mean(x, GT_ALL, false); }

static double mode_at(int mode, int axis) {
    return axis == 0 ? cos(TURN * mode / MODES) : sin(TURN * mode / MODES);
}

/* Points around the modes in turn; numbered random words make batch `ordinal` the same again. */
static void draw_data(float *point, int count, uint64_t ordinal) {
    for (int i = 0; i < 2 * count; i++) {
        const double noise = gt_normal(2, ordinal, (uint64_t)i);
        point[i] = (float)(mode_at(i / 2 % MODES, i % 2) + SPREAD * noise);
    }
}

/* The mean of (|slope| - 1)^2 somewhere between each data point and its sample. */
static gt_tensor slope_penalty(gt_tensor real, gt_tensor made) {
    const gt_tensor along = gt_rand(real.tape, GT_SHAPE(BATCH, 1), GT_F32);
    const gt_tensor between = gt_add(made, gt_mul(along, gt_sub(real, made)));
    const gt_tensor slope = gt_grad(gt_sum(critic(between), GT_ALL, false), between);
    const gt_tensor size = gt_norm(slope, GT_AXES(1), false);
    return mean(gt_square(gt_add_scalar(size, -1)));
}

/* One step of the critic. Returns its estimate of the distance (Wasserstein-1). */
static double train_critic(gt_tape *tape, gt_optim *opt, uint64_t ordinal) {
    float point[2 * BATCH];
    draw_data(point, BATCH, ordinal);
    const gt_tensor real = gt_input(tape, point, GT_SHAPE(BATCH, 2), GT_F32);
    const gt_tensor made = gt_stop_gradient(generator(tape, BATCH));
    const gt_tensor distance = gt_sub(mean(critic(real)), mean(critic(made)));
    const gt_tensor penalty = gt_mul_scalar(slope_penalty(real, made), PENALTY);
    gt_keep(distance);
    gt_minimize(opt, gt_sub(penalty, distance));
    const double estimate = gt_item(distance);
    if (!gt_failed(tape)) gt_tape_reset(tape);
    return estimate;
}

static void train(training *t) {
    gt_adam_options options = {.rate = RATE, .beta1 = 0.5, .beta2 = 0.9, .pattern = "critic/*"};
    gt_optim *of_critic = gt_adam(t->params, options);
    options.pattern = "gen/*";
    gt_optim *of_generator = gt_adam(t->params, options);
    progress bar = progress_begin("gan", t->steps, "steps");
    double distance = 0;
    for (; of_critic && of_generator && !gt_failed(t->tape) && t->step < t->steps; t->step++) {
        gt_optim_set_rate(of_critic, gt_schedule_cosine(RATE, t->step, STEPS, RATE / 20));
        gt_optim_set_rate(of_generator, gt_optim_rate(of_critic));
        for (int64_t k = 0; k < CRITIC_STEPS; k++) {
            distance = train_critic(t->tape, of_critic, (uint64_t)(CRITIC_STEPS * t->step + k));
        }
        gt_minimize(of_generator, gt_neg(mean(critic(generator(t->tape, BATCH)))));
        if (!gt_failed(t->tape)) gt_tape_reset(t->tape);
        progress_show(&bar, t->step, "distance %.4f", distance);
        if ((t->step + 1) % EVERY != 0 || marks == MARKS) continue;
        marked_step[marks] = (double)(t->step + 1);
        marked_distance[marks++] = distance;
    }
    if (!gt_failed(t->tape)) progress_end(&bar, "distance %.4f", distance);
    gt_optim_free(of_critic);
    gt_optim_free(of_generator);
}

typedef struct cloud {
    double x[SHOWN], y[SHOWN];
    double near; /* the share near a mode */
    double away; /* from the nearest mode, on average */
    int covered;
} cloud;

/* The modes are on a circle: the nearest is that of the nearest angle. */
static void judge(cloud *c, const float *point) {
    int near[MODES] = {0};
    c->near = c->away = c->covered = 0;
    for (int i = 0; point && i < SHOWN; i++) {
        c->x[i] = (double)point[2 * i];
        c->y[i] = (double)point[2 * i + 1];
        const int nearest = (int)lround(MODES * atan2(c->y[i], c->x[i]) / TURN + MODES) % MODES;
        const double far = hypot(c->x[i] - mode_at(nearest, 0), c->y[i] - mode_at(nearest, 1));
        c->away += far / SHOWN;
        if (!(far < 4 * SPREAD)) continue;
        c->near++;
        if (++near[nearest] == SHOWN / (4 * MODES)) c->covered++;
    }
    c->near /= SHOWN;
}

static void sample(gt_tape *tape, cloud *c) {
    judge(c, gt_data(generator(tape, SHOWN)));
    if (gt_failed(tape)) return;
    gt_tape_reset(tape);
    printf("distance to the nearest mode %.4f, near a mode %.1f %%, modes covered %d of %d\n",
           c->away, 100 * c->near, c->covered, MODES);
}

int main(int count, char **word) {
    static cloud made, data;
    static float point[2 * SHOWN];
    training t;
    if (!training_begin(&t, "gan", STEPS, count, word)) return EXIT_FAILURE;
    if (!t.resume) sample(t.tape, &made);
    train(&t);
    training_save(&t);
    sample(t.tape, &made);
    draw_data(point, SHOWN, UINT64_MAX);
    judge(&data, point);
    const plot_series series[] = {{NULL, PLOT_POINTS, 0, data.x, data.y, SHOWN},
                                  {NULL, PLOT_POINTS, 1, made.x, made.y, SHOWN},
                                  {NULL, PLOT_LINE, 2, marked_step, marked_distance, marks}};
    const plot_range all = {-REACH, REACH};
    const plot_panel panel[] = {{"Data", .x = all, .y = all, .series = series, .n_series = 1},
                                {"Generated", .x = all, .y = all, .series = series + 1,
                                 .n_series = 1},
                                {"The critic's estimate of their distance", "step",
                                 .series = series + 2, .n_series = 1}};
    char subtitle[120];
    snprintf(subtitle, sizeof subtitle, "%.1f %% of samples near a mode, %d of %d modes covered",
             100 * made.near, made.covered, MODES);
    return training_end(&t, &(plot){"A Wasserstein GAN with gradient penalty", subtitle,
                                    .width = 1440, .height = 590, .panel = panel, .n_panels = 3});
}
