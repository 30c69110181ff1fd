# Demos, tests and benchmarks: every program lands under <build>/bin.

# gt_program(TARGET FOLDER NAME SOURCE... ): one program, built as <build>/bin/FOLDER/NAME.
function(gt_program target folder name)
    add_executable(${target} ${ARGN})
    gt_settings(${target})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/${folder})
    target_link_libraries(${target} PRIVATE gradtape_objects)
endfunction()

# gt_helpers(TARGET GLOB): the objects that several programs of one folder share. Their headers are found
# from that folder: "common/plot.h".
function(gt_helpers target glob)
    file(GLOB sources CONFIGURE_DEPENDS ${glob})
    if(NOT sources)
        add_library(${target} INTERFACE)
        return()
    endif()
    add_library(${target} STATIC ${sources})
    gt_settings(${target})
    string(REGEX REPLACE "/.*" "" folder ${glob})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/${folder}
        $<TARGET_PROPERTY:gradtape_objects,INTERFACE_INCLUDE_DIRECTORIES>)
    add_dependencies(${target} gradtape_generated)
endfunction()

# gt_program_each(FOLDER HELPERS): one program for every FOLDER/*.c; target gradtape_FOLDER is all.
function(gt_program_each folder helpers)
    add_custom_target(gradtape_${folder})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        gt_program(${folder}_${name} ${folder} ${name} ${source})
        target_link_libraries(${folder}_${name} PRIVATE ${helpers})
        add_dependencies(gradtape_${folder} ${folder}_${name})
    endforeach()
endfunction()

# gt_emitted(WORKLOAD OPTION... ): a program that times the C written from a workload's step, in a target of its own:
# it is made of that file and not of the library.
function(gt_emitted workload)
    set(file ${PROJECT_BINARY_DIR}/generated/emitted/${workload}.c)
    add_custom_command(
        OUTPUT ${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/generated/emitted
        COMMAND bench_emit_workload ${workload} ${file}
        DEPENDS bench_emit_workload
        COMMENT "Emitting the workload ${workload}"
        VERBATIM)
    add_executable(bench_emitted_${workload} bench/emitted/emitted.c bench/common/measure.c ${file})
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${ARGN}")
    set_target_properties(bench_emitted_${workload} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF OUTPUT_NAME emitted_${workload}
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/bench)
    target_include_directories(bench_emitted_${workload} PRIVATE bench)
    target_link_libraries(bench_emitted_${workload} PRIVATE m)
    add_dependencies(gradtape_bench bench_emitted_${workload})
endfunction()

# The command, installed beside the library.
file(GLOB cli_sources CONFIGURE_DEPENDS cli/*.c)
gt_program(gradtape_cli "" gradtape ${cli_sources})

if(GT_BUILD_DEMOS)
    gt_helpers(gradtape_demos_common demos/common/*.c)
    gt_program_each(demos gradtape_demos_common)
    # One program writes a training step as C; the other is made of that and not of the library.
    gt_program(demos_tiny_record demos tiny_record demos/tiny/tiny_record.c)
    add_custom_command(
        OUTPUT ${PROJECT_BINARY_DIR}/generated/tiny/tiny_step.c
        COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/generated/tiny
        COMMAND demos_tiny_record ${PROJECT_BINARY_DIR}/generated/tiny/tiny_step.c
        DEPENDS demos_tiny_record
        COMMENT "Emitting the training step of demos/tiny"
        VERBATIM)
    add_executable(demos_tiny demos/tiny/tiny_train.c ${PROJECT_BINARY_DIR}/generated/tiny/tiny_step.c)
    set_source_files_properties(${PROJECT_BINARY_DIR}/generated/tiny/tiny_step.c PROPERTIES HEADER_FILE_ONLY ON)
    set_target_properties(demos_tiny PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        OUTPUT_NAME tiny RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/demos)
    target_compile_options(demos_tiny PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wdouble-promotion -Werror)
    target_include_directories(demos_tiny PRIVATE ${PROJECT_BINARY_DIR}/generated/tiny)
    target_link_libraries(demos_tiny PRIVATE m)
    add_dependencies(gradtape_demos demos_tiny)
endif()
if(GT_BUILD_BENCH)
    gt_helpers(gradtape_bench_common bench/common/*.c)
    gt_program_each(bench gradtape_bench_common)
    # Straight code gains nothing from more than -O2, loops do.
    gt_emitted(W10a -O2)
    gt_emitted(W10b -O2)
    gt_emitted(W3 -O3 -march=native -ffp-contract=off)
    gt_emitted(W11 -O3 -march=native -ffp-contract=off)
    # The peer in single numbers; its header is no concern of our warnings.
    if(GT_BENCH_ADOLC)
        enable_language(CXX)
        add_executable(bench_peer_adolc bench/peer_adolc.cpp bench/common/measure.c bench/common/draw.c)
        set_target_properties(bench_peer_adolc PROPERTIES CXX_STANDARD 17 OUTPUT_NAME peer_adolc
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/bench)
        target_compile_options(bench_peer_adolc PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O3 -march=native>)
        target_include_directories(bench_peer_adolc PRIVATE bench)
        target_link_libraries(bench_peer_adolc PRIVATE adolc)
        add_dependencies(gradtape_bench bench_peer_adolc)
    endif()
    # The machine's limit is that of products and sums rounded once, on every thread.
    set_source_files_properties(bench/limits.c PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)
    if(GT_WITH_OPENMP)
        target_link_libraries(bench_limits PRIVATE OpenMP::OpenMP_C)
    endif()
endif()
# One libFuzzer program for every format; see "fuzz" in docs/building.md.
file(GLOB fuzz_targets CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
if(GT_BUILD_FUZZ)
    add_custom_target(gradtape_fuzz)
    foreach(source ${fuzz_targets})
        get_filename_component(name ${source} NAME_WE)
        string(REPLACE "fuzz_" "" format ${name})
        gt_program(gradtape_${name} fuzz ${format} tests/fuzz/entry.c tests/fuzz/common_fuzz.c ${source})
        target_compile_definitions(gradtape_${name} PRIVATE FUZZ_TARGET=${name})
        target_link_options(gradtape_${name} PRIVATE -fsanitize=fuzzer)
        add_dependencies(gradtape_fuzz gradtape_${name})
    endforeach()
endif()
if(NOT GT_BUILD_TESTS)
    return()
endif()

enable_testing()
gt_helpers(gradtape_tests_support tests/support/*.c)
set(any_report "Sanitizer|runtime error")

file(GLOB driver_sources CONFIGURE_DEPENDS tests/driver/*.c)
if(driver_sources)
    gt_program(gradtape_selftest tests selftest ${driver_sources})
    target_link_libraries(gradtape_selftest PRIVATE gradtape_tests_support)
    add_test(NAME selftest COMMAND gradtape_selftest)
    set_tests_properties(selftest PROPERTIES TIMEOUT 1200 FAIL_REGULAR_EXPRESSION "${any_report}")
endif()

gt_program(gradtape_accuracy tests accuracy tests/accuracy/accuracy.c tests/accuracy/ulps.c)
target_link_libraries(gradtape_accuracy PRIVATE gradtape_tests_support)
if(CMAKE_BUILD_TYPE STREQUAL "Release") # others do not call vector functions
    add_test(NAME accuracy COMMAND gradtape_accuracy check ${PROJECT_SOURCE_DIR}/docs/numerics.md)
endif()

# Whose instructions tests/costs.sh counts.
gt_program(gradtape_costs tests costs tests/costs/costs.c)

# What tests/peer/compare.py compares with PyTorch: see tests/peer.sh.
gt_program(gradtape_peer_cases tests peer_cases tests/peer/cases.c)

# The pages that tests/browser/browser.js opens: see tests/browser.sh.
gt_program(gradtape_pages tests pages tests/browser/pages.c)

if(UNIX)
    gt_program(gradtape_fuzz_replay tests fuzz_replay
        tests/fuzz/replay.c tests/fuzz/common_fuzz.c ${fuzz_targets})
    add_test(NAME fuzz_replay COMMAND gradtape_fuzz_replay)
    set_tests_properties(fuzz_replay PROPERTIES FAIL_REGULAR_EXPRESSION "${any_report}")
endif()

file(GLOB suite_sources CONFIGURE_DEPENDS tests/*.c)
if(suite_sources AND GT_WITH_CRITERION)
    gt_program(gradtape_suite tests gradtape_tests ${suite_sources})
    target_link_libraries(gradtape_suite PRIVATE gradtape_tests_support PkgConfig::CRITERION)
    add_test(NAME suite COMMAND gradtape_suite)
    set_tests_properties(suite PROPERTIES TIMEOUT 1200 FAIL_REGULAR_EXPRESSION "${any_report}")
endif()

include(cmake/documentation.cmake)
if(GT_BUILD_DEMOS)
    add_test(NAME demos COMMAND sh tests/demos.sh ${PROJECT_BINARY_DIR}/bin/demos
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(demos PROPERTIES FAIL_REGULAR_EXPRESSION "${any_report}")
endif()
if(UNIX)
    add_test(NAME step COMMAND sh tests/step.sh $<TARGET_FILE:gradtape_cli>
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    add_test(NAME check_command COMMAND sh tests/check_command.sh $<TARGET_FILE:gradtape_cli>
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(step check_command PROPERTIES FAIL_REGULAR_EXPRESSION "${any_report}")
endif()
add_test(NAME floors COMMAND sh tests/floors.sh WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
if(NOT GT_SANITIZE)
    add_test(NAME consumer COMMAND ${CMAKE_COMMAND}
             -DBUILD=${PROJECT_BINARY_DIR} -DCC=${CMAKE_C_COMPILER} -DGENERATOR=${CMAKE_GENERATOR}
             -P ${PROJECT_SOURCE_DIR}/tests/consumer/consumer.cmake)
endif()
