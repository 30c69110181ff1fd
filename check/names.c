/* check/names.c: verdicts, doubts and mistakes in words. */
#include "check/check.h"

static const char *const verdicts[] = {
    [GT_RIGHT] = "right",
    [GT_RIGHT_AT_KINK] = "right up to your choice at the kink",
    [GT_RIGHT_ONLY_HERE] = "right only here",
    [GT_CANNOT_TELL] = "cannot tell",
    [GT_WRONG] = "wrong",
};

static const char *const doubts[] = {
    [GT_NO_DOUBT] = "",
    [GT_DOUBT_ROUNDOFF] = "roundoff leaves too few digits of the function",
    [GT_DOUBT_KINK] = "the function has a kink here",
    [GT_DOUBT_JUMP] = "the function jumps here",
    [GT_DOUBT_NOISE] = "the function gives other values for the same point",
    [GT_DOUBT_NOT_FINITE] = "a value or a slope is not finite",
    [GT_DOUBT_WITNESSES] = "the witnesses of the truth contradict each other",
    [GT_DOUBT_MEMORY] = "memory is short",
    [GT_DOUBT_QUESTION] = "the question makes no sense",
};

static const char *const mistakes[GT_N_MISTAKES] = {
    [GT_NO_MISTAKE] = "",
    [GT_MISTAKE_SIGN] = "the sign",
    [GT_MISTAKE_FACTOR] = "a constant factor",
    [GT_MISTAKE_LOG_BASE] = "the base of a logarithm",
    [GT_MISTAKE_MEAN_FOR_SUM] = "a mean for a sum, or a sum for a mean",
    [GT_MISTAKE_MISSING_PATH] = "a missing path",
    [GT_MISTAKE_OVERWRITTEN] = "= for += where a value is used twice",
    [GT_MISTAKE_EXTRA_TERM] = "an extra term",
    [GT_MISTAKE_MISSING_LOCAL] = "a forgotten local derivative",
    [GT_MISTAKE_WRONG_NODE] = "a local derivative taken at the wrong node",
    [GT_MISTAKE_WRONG_OPERAND] = "the wrong operand",
    [GT_MISTAKE_TRANSPOSED] = "transposed",
    [GT_MISTAKE_MISSING_SUM] = "a forgotten sum over the batch",
    [GT_MISTAKE_SHIFTED] = "entries beside their places",
    [GT_MISTAKE_MISSING_ROWS] = "missing rows",
    [GT_MISTAKE_MISSING_COLUMNS] = "missing columns",
    [GT_MISTAKE_ENTRIES] = "a few entries",
    [GT_MISTAKE_UNKNOWN] = "unknown",
};

const char *gt_verdict_name(gt_verdict verdict) {
    return verdict <= GT_WRONG ? verdicts[verdict] : "";
}
const char *gt_doubt_name(gt_doubt doubt) {
    return doubt <= GT_DOUBT_QUESTION ? doubts[doubt] : "";
}
const char *gt_mistake_name(gt_mistake mistake) {
    return mistake < GT_N_MISTAKES ? mistakes[mistake] : "";
}
