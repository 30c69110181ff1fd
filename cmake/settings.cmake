# What every target of ours is compiled with: strict C11, all warnings, the GT_WITH_X answers.

set(gt_features)
foreach(feature ONEDNN CBLAS OPENMP THREADS ZLIB JANSSON UTHASH LIBEDIT)
    if(GT_WITH_${feature})
        list(APPEND gt_features GT_WITH_${feature}=1)
    endif()
endforeach()

function(gt_settings target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
    target_compile_definitions(${target} PRIVATE ${gt_features})
    target_include_directories(${target} SYSTEM PRIVATE ${gt_includes})
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes -Wdouble-promotion
        $<$<BOOL:${GT_WERROR}>:-Werror>
        # Without OpenMP its pragmas are meant to be ignored.
        $<$<NOT:$<BOOL:${GT_WITH_OPENMP}>>:-Wno-unknown-pragmas>)
    if(GT_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${GT_SANITIZE}
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${target} PRIVATE -fsanitize=${GT_SANITIZE})
    endif()
endfunction()

# gcc's address sanitizer keeps functions' variables apart to see who uses them afterwards, but not at multiples of 64
# bytes, where it reads and writes vectors all the same (its bug 110027).
function(gt_vectors_on_the_stack)
    if(GT_SANITIZE MATCHES "address" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS --param=asan-use-after-return=0)
    endif()
endfunction()
