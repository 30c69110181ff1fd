# The examples of the documentation, as one program: tests/docs/extract.awk takes them out of README.md, docs/
# and the head comments of the public headers when the tree is configured; tests/docs.sh runs them.
# They save and load parameters, so they need GT_WITH_JANSSON.

find_program(GT_AWK NAMES awk mawk gawk)
if(NOT GT_WITH_JANSSON OR NOT GT_AWK)
    return()
endif()
set(made ${PROJECT_BINARY_DIR}/documentation)
file(GLOB documents RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS README.md CONTRIBUTING.md docs/*.md)
list(APPEND documents gradtape.h)
foreach(room ${rooms})
    list(APPEND documents ${room}/${room}.h)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${documents} tests/docs/extract.awk)

# Into a fresh folder first, so that examples that did not change are not compiled again.
file(REMOVE_RECURSE ${made}/fresh)
file(MAKE_DIRECTORY ${made}/fresh ${made}/include)
execute_process(COMMAND ${GT_AWK} -v out=${made}/fresh -f tests/docs/extract.awk ${documents}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB old RELATIVE ${made} ${made}/*.c ${made}/*.expected)
file(GLOB new RELATIVE ${made}/fresh ${made}/fresh/*)
foreach(name ${old})
    if(NOT name IN_LIST new)
        file(REMOVE ${made}/${name})
    endif()
endforeach()
foreach(name ${new})
    file(COPY_FILE ${made}/fresh/${name} ${made}/${name} ONLY_IF_DIFFERENT)
endforeach()
file(STRINGS ${made}/list examples)
list(TRANSFORM examples REPLACE "^([A-Za-z0-9_]+) .*" "EXAMPLE(\\1)\n")
list(JOIN examples "" examples)
file(CONFIGURE OUTPUT ${made}/examples.h CONTENT "${examples}")
# Examples include <gradtape/gradtape.h>, as users of an installed library do.
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${made}/include/gradtape SYMBOLIC)

list(FILTER new INCLUDE REGEX "\\.c$")
list(TRANSFORM new PREPEND ${made}/)
gt_program(gradtape_docs tests docs tests/docs/programs.c tests/docs/operations.c ${new})
target_include_directories(gradtape_docs PRIVATE ${made} ${made}/include)
# Handing a float to printf is no mistake in a short example.
target_compile_options(gradtape_docs PRIVATE -O0 -Wno-double-promotion)
add_test(NAME docs COMMAND sh tests/docs.sh ${PROJECT_BINARY_DIR} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(docs PROPERTIES FAIL_REGULAR_EXPRESSION "${any_report}")
