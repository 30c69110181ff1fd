/*
 * gemm_round.h: packing for products of bf16, on processors with AVX512-BF16.
 *
 * The kernel multiplies words: two numbers of bf16 that follow one another along k. Here words are made of numbers
 * that are no neighbours in memory, and of floats, which are rounded to the nearest, of two to the even one; those below
 * 2^-126 become 0, for which the product takes them anyway.
 *
 * gemm.c includes this file once; the functions at its end are the kernel's packers. `along` leads from
 * one word to the next; its second number stands half way.
 */
#include "bf16.h"

#define ROUND_TARGET __attribute__((target("avx512f,avx512bw,avx512bf16")))
enum { WORDS_OF_VECTOR = 16, AHEAD = 16 };

/* The first `count` of 16. */
static inline __mmask16 first_of(int64_t count) {
    return (__mmask16)(count >= WORDS_OF_VECTOR ? 0xffff : count > 0 ? (1U << count) - 1 : 0);
}

/* 16 first numbers, then 16 second ones, as words. */
ROUND_TARGET static inline __m512i weave(__m512i apart) {
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, apart);
}

/* A word of each line, of lines that are neighbours. */
ROUND_TARGET static inline __m512i read_across(bool floats, const char *first, const char *second,
                                               __mmask16 lines) {
    if (floats)
        return weave((__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(lines, second),
                                                  _mm512_maskz_loadu_ps(lines, first)));
    const __m512i low = _mm512_maskz_loadu_epi16(lines, first),
                  high = _mm512_maskz_loadu_epi16(lines, second);
    return weave(_mm512_inserti64x4(low, _mm512_castsi512_si256(high), 1));
}

/* Up to 16 words of a line whose numbers are neighbours. */
ROUND_TARGET static inline __m512i read_along(bool floats, const char *x, int64_t words) {
    if (!floats) return _mm512_maskz_loadu_epi32(first_of(words), x);
    const float *from = (const float *)(const void *)x;
    const __mmask16 low = first_of(2 * words), high = first_of(2 * words - WORDS_OF_VECTOR);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, from + WORDS_OF_VECTOR),
                                        _mm512_maskz_loadu_ps(low, from));
}

/* Turns 16 lines of 16 words: within quarters of the registers, then the quarters. */
ROUND_TARGET static inline void turn_words(__m512i line[WORDS_OF_VECTOR]) {
    enum { EVEN = 0x88, ODD = 0xdd };
    __m512i x[WORDS_OF_VECTOR];
    EACH(i, 8) {
        x[2 * i] = _mm512_unpacklo_epi32(line[2 * i], line[2 * i + 1]);
        x[2 * i + 1] = _mm512_unpackhi_epi32(line[2 * i], line[2 * i + 1]);
    }
    EACH(i, 4) {
        line[4 * i] = _mm512_unpacklo_epi64(x[4 * i], x[4 * i + 2]);
        line[4 * i + 1] = _mm512_unpackhi_epi64(x[4 * i], x[4 * i + 2]);
        line[4 * i + 2] = _mm512_unpacklo_epi64(x[4 * i + 1], x[4 * i + 3]);
        line[4 * i + 3] = _mm512_unpackhi_epi64(x[4 * i + 1], x[4 * i + 3]);
    }
    EACH(i, 4) {
        x[i] = _mm512_shuffle_i32x4(line[i], line[4 + i], EVEN);
        x[4 + i] = _mm512_shuffle_i32x4(line[i], line[4 + i], ODD);
        x[8 + i] = _mm512_shuffle_i32x4(line[8 + i], line[12 + i], EVEN);
        x[12 + i] = _mm512_shuffle_i32x4(line[8 + i], line[12 + i], ODD);
    }
    EACH(i, 4) {
        line[i] = _mm512_shuffle_i32x4(x[i], x[8 + i], EVEN);
        line[4 + i] = _mm512_shuffle_i32x4(x[4 + i], x[12 + i], EVEN);
        line[8 + i] = _mm512_shuffle_i32x4(x[i], x[8 + i], ODD);
        line[12 + i] = _mm512_shuffle_i32x4(x[4 + i], x[12 + i], ODD);
    }
}

/* 16 lines whose numbers are neighbours along k, 16 words of each; or fewer of either. */
ROUND_TARGET static inline ALWAYS_INLINE void pack_square(uint32_t *panel, int64_t width,
                                                          __mmask16 kept, bool floats,
                                                          const char *x, int64_t count,
                                                          int64_t across, int64_t words) {
    __m512i line[WORDS_OF_VECTOR];
    EACH(i, WORDS_OF_VECTOR) {
        line[i] = i < count ? read_along(floats, x + i * across, words) : _mm512_setzero_si512();
    }
    turn_words(line);
    EACH(i, WORDS_OF_VECTOR) {
        if (i < words) _mm512_mask_storeu_epi32(panel + i * width, kept, line[i]);
    }
}

static inline uint32_t half_of(bool floats, const char *x) {
    return floats ? gt__bf16_of(*(const float *)(const void *)x)
                  : *(const uint16_t *)(const void *)x;
}

/* A word of each line, wherever they lie. */
static inline void gather_words(uint32_t *to, bool floats, const char *x, int64_t count,
                                int64_t across, int64_t second) {
    for (int64_t i = 0; i < count; i++, x += across)
        to[i] = half_of(floats, x) | half_of(floats, x + second) << 16;
}

/* The panel's lines [from, from + 16); distances are in bytes. */
ROUND_TARGET static inline ALWAYS_INLINE void pack_lines(uint32_t *panel, int64_t width,
                                                         bool floats, const char *x, int64_t count,
                                                         int64_t across, int64_t depth,
                                                         int64_t along) {
    const int64_t size = floats ? sizeof(float) : sizeof(uint16_t), second = along / 2;
    const __mmask16 lines = first_of(count), kept = first_of(width);
    int64_t p = 0;
    if (along == 2 * size) {
        for (; count >= WORDS_OF_VECTOR && p + WORDS_OF_VECTOR <= depth; p += WORDS_OF_VECTOR)
            pack_square(panel + p * width, width, kept, floats, x + p * along, WORDS_OF_VECTOR,
                        across, WORDS_OF_VECTOR);
        for (; p < depth; p += WORDS_OF_VECTOR)
            pack_square(panel + p * width, width, kept, floats, x + p * along, count, across,
                        depth - p);
    } else if (across == size) {
        for (; p < depth; p++) {
            const char *const at = x + p * along;
            GT__PREFETCH(at + AHEAD * along);
            GT__PREFETCH(at + AHEAD * along + second);
            _mm512_mask_storeu_epi32(panel + p * width, kept,
                                     read_across(floats, at, at + second, lines));
        }
    } else {
        for (; p < depth; p++) {
            uint32_t word[WORDS_OF_VECTOR] = {0};
            gather_words(word, floats, x + p * along,
                         count < WORDS_OF_VECTOR ? count : WORDS_OF_VECTOR, across, second);
            _mm512_mask_storeu_epi32(panel + p * width, kept, _mm512_loadu_si512(word));
        }
    }
}

ROUND_TARGET static NEVER_INLINE void pack_halves(uint32_t *panel, int64_t width, const char *x,
                                                  int64_t count, int64_t across, int64_t depth,
                                                  int64_t along) {
    pack_lines(panel, width, false, x, count, across, depth, along);
}

ROUND_TARGET static NEVER_INLINE void pack_floats(uint32_t *panel, int64_t width, const char *x,
                                                  int64_t count, int64_t across, int64_t depth,
                                                  int64_t along) {
    pack_lines(panel, width, true, x, count, across, depth, along);
}

#define PACKER(name, width, pack, size)                                                            \
    static void NAME(name)(PACK_PARAMETERS) {                                                      \
        for (int64_t l = 0; l < (width); l += WORDS_OF_VECTOR)                                     \
            pack((uint32_t *)panel + l, width, (const char *)x + l * across * (int64_t)(size),     \
                 count - l, across * (int64_t)(size), depth, along * (int64_t)(size));             \
    }
PACKER(pack_a_halves, TILE_ROWS, pack_halves, sizeof(uint16_t))
PACKER(pack_b_halves, TILE_VECTORS *WORDS_OF_VECTOR, pack_halves, sizeof(uint16_t))
PACKER(pack_a_floats, TILE_ROWS, pack_floats, sizeof(float))
PACKER(pack_b_floats, TILE_VECTORS *WORDS_OF_VECTOR, pack_floats, sizeof(float))
#undef PACKER
