/* ops/kernels.c: which tables of kernels this processor can run. */
#include "ops/kernels.h"

#ifdef GT__X86_KERNELS
static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif
static bool always(void) { return true; }

const gt__kernels *gt__kernels_at(int i, const char **name) {
    static const struct {
        const gt__kernels *kernels;
        bool (*runs)(void);
        const char *name;
    } known[] = {
#ifdef GT__X86_KERNELS
        {&gt__kernels_avx512, has_avx512, "AVX-512"},
        {&gt__kernels_avx2, has_avx2, "AVX2"},
#endif
        {&gt__kernels_plain, always, "plain"},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (!known[k].runs() || i-- > 0) continue;
        if (name) *name = known[k].name;
        return known[k].kernels;
    }
    return NULL;
}

const gt_machine *const gt__machines[2] = {&gt__machine_f32, &gt__machine_f64};
