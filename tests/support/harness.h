/* tests/support/harness.h: checks an operation by the samples that it brings along.
 *
 * Every sample is recorded in f64 and f32; as f(x, x) where shapes allow; over transposed, reversed
 * and gapped views. Its values must be finite, repeatable, and the same on every layout; its
 * gradient, under a random upstream, must agree with numeric differences of the same recording, and
 * so must the gradient of its gradient; what must fail, fails with the message that it announces.
 *
 * A verdict has three values. CANNOT_TELL (a kink too near, differences too rough, a gradient of
 * nothing but zeros) is never a pass: an operation that gets no other verdict fails. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include "check/numeric.h"

typedef enum verdict { PASS, FAIL, CANNOT_TELL } verdict;

/* What is checked. */
typedef struct subject {
    const char *name;
    const gt_op *op; /* NULL: a composition */
    gt_tensor (*samples)(gt_samples *s, int i);
    const gt_op *planted; /* takes op's place on the tape: a copy with an error; NULL: none */
} subject;

typedef struct findings {
    int good, bad; /* samples that must work, and that must fail */
    int gradients; /* samples whose gradient agreed and was not all zeros */
    int second;    /* samples whose second derivatives agreed */
    int failed, cannot_tell;
    int64_t compared; /* numbers compared with differences */
    char first[800];  /* the first failure, or the first thing that could not be told */
} findings;

/* thorough: all entries of every gradient, in every mode. */
verdict check_subject(const subject *s, bool thorough, findings *f);

/* A gradient's entry against its difference quotient. */
verdict judge(double claimed, gt_slope numeric);

/* Puts a copy with an error in the place of every recorded use of the original; nothing happens
 * when there is none. They have one shape rule, and nothing has run yet, so the tape does not
 * notice. */
void put_in_place(gt_tape *tape, const gt_op *original, const gt_op *planted);

/* GT_SOAK=1 in the environment: full counts. */
bool is_soak(void);

#endif
