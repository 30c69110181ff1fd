# Installs BUILD into a fresh prefix and builds the consumer against it twice: through find_package
# (as C, and as C++ where there is a compiler for it) and through pkg-config where there is one.
# Then looks at what a shared library exports.
# Takes BUILD (a build tree), CC (its compiler) and GENERATOR.

set(source ${CMAKE_CURRENT_LIST_DIR})
set(work ${BUILD}/consumer)
set(prefix ${work}/prefix)
file(REMOVE_RECURSE ${work})

function(run)
    message(STATUS "${ARGN}")
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --build ${BUILD} --target gradtape)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
file(GLOB_RECURSE pc_file ${prefix}/*/gradtape.pc)
get_filename_component(pc_dir "${pc_file}" DIRECTORY)
file(GLOB shared ${pc_dir}/../libgradtape.so)

run(${CMAKE_COMMAND} -S ${source} -B ${work}/cmake -G ${GENERATOR}
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${work}/cmake)
file(GLOB programs ${work}/cmake/consumer ${work}/cmake/consumer_cxx)
foreach(program ${programs})
    run(${program})
endforeach()

find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
    set(ENV{PKG_CONFIG_PATH} ${pc_dir})
    set(ENV{LD_LIBRARY_PATH} ${pc_dir}/..)
    execute_process(COMMAND ${pkg_config} --cflags --libs gradtape
        OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags)
    run(${CC} -std=c11 -Wall -Wextra -Wpedantic -Werror ${source}/consumer.c ${flags}
        -o ${work}/consumer_pc)
    run(${work}/consumer_pc)
endif()

if(shared)
    find_program(nm nm REQUIRED)
    execute_process(COMMAND ${nm} -D --defined-only ${shared}
        OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE "[0-9a-f]+ [A-Za-z] " "" symbols "${symbols}")
    string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
    list(FILTER symbols EXCLUDE REGEX "^gt_[a-z]")
    if(symbols)
        message(FATAL_ERROR "the shared library exports more than gt_ names: ${symbols}")
    endif()
endif()
