/* tests/support/damage.h: the damaged copies of a file that every reader is tried on: cut after each
 * number of bytes, then each byte with one bit flipped, then with all eight.
 *
 *     for (size_t k = 0; k < damages(size); k++) try(copy, damaged(copy, bytes, size, k)); */
#ifndef TESTS_DAMAGE_H
#define TESTS_DAMAGE_H

#include <stddef.h>
#include <string.h>

enum { FLIPS = 9 };

static inline size_t damages(size_t size) { return size + FLIPS * size; }

/* Writes damage k of the bytes into copy, which holds size of them, and returns how many are left. */
static inline size_t damaged(unsigned char *copy, const unsigned char *bytes, size_t size,
                             size_t k) {
    memcpy(copy, bytes, size);
    if (k < size) return k;
    const size_t at = (k - size) / FLIPS, bit = (k - size) % FLIPS;
    copy[at] ^= (unsigned char)(bit < 8 ? 1U << bit : 0xffU);
    return size;
}

#endif
