# Writes the style sheets and scripts of step/ as C arrays, for step/assets.c: a page needs no file beside the
# library. Indentation and lines that are comments (// in front) are left out. Bytes instead of
# a string: C11 promises no more than 4095 characters of one.
# Run as: cmake -DTOP=<source> -DOUT=<build>/generated -P embed.cmake
cmake_minimum_required(VERSION 3.18)

file(GLOB sources ${TOP}/step/*.css ${TOP}/step/*.js)
list(SORT sources)
set(arrays "/* step/assets_gen.h: written from the style sheets and scripts of step/ by step/embed.cmake. */\n")
foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME)
    string(REPLACE "." "_" name ${name})
    file(READ ${source} text)
    string(REGEX REPLACE "\n +" "\n" text "${text}")
    string(REGEX REPLACE "\n//[^\n]*" "" text "\n${text}")
    string(REGEX REPLACE "\n\n+" "\n" text "${text}")
    string(HEX "${text}" bytes)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT}/step/assets_gen.h "${arrays}")
