/* tests/fuzz/entry.c: what libFuzzer calls. FUZZ_TARGET names the target of this program. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    FUZZ_TARGET.run(bytes, size);
    return 0;
}
