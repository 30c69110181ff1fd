/* nn/losses.h: what the files of losses share. Predictions and targets must agree in shape: a silent
 * broadcast of [n, 1] against [n] would average n^2 differences. */
#ifndef GT_NN_LOSSES_H
#define GT_NN_LOSSES_H

#include "nn/accept.h"
#include "nn/nn.h"

/* False, and an error with both names and shapes, when they differ. True for what is no tensor: the next
 * operation says what is wrong with it. */
bool gt__equal_shapes(const char *loss, const char *a_is, gt_tensor a, const char *b_is,
                      gt_tensor b);
bool gt__fits_target(const char *loss, gt_tensor prediction, gt_tensor target);
/* Are labels [...] integers, one for each row of logits [..., classes]? */
bool gt__fit_labels(const char *loss, gt_tensor logits, gt_tensor labels);
/* The element of each row that its label points to: [...]. */
gt_tensor gt__pick(gt_tensor rows, gt_tensor labels);
/* x has a last axis; else an error. */
bool gt__has_rows(const char *loss, gt_tensor x);
/* number is finite and above 0 (or 0, where zero says so); else an error on the tape of x. */
bool gt__positive(const char *loss, gt_tensor x, const char *what, double number, bool zero);
/* A number as a scalar of t's kind. */
gt_tensor gt__number(gt_tensor t, double number);
gt_tensor gt__mean_of_all(gt_tensor x);

#endif
