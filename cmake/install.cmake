# Installs headers, library, CMake package and pkg-config file.
# A header includes its neighbours as in the tree ("graph/graph.h"), so the installed include path
# has both include/ and include/gradtape/.

set(header_dir ${CMAKE_INSTALL_INCLUDEDIR}/gradtape)
install(FILES gradtape.h DESTINATION ${header_dir})
foreach(room ${rooms})
    install(FILES ${room}/${room}.h DESTINATION ${header_dir}/${room})
endforeach()
foreach(header ${generated_public})
    get_filename_component(room ${header} DIRECTORY)
    install(FILES ${generated_dir}/${header} DESTINATION ${header_dir}/${room})
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradtape)
install(TARGETS gradtape EXPORT gradtapeTargets)
install(TARGETS gradtape_cli)
install(EXPORT gradtapeTargets NAMESPACE gradtape:: DESTINATION ${package_dir})
configure_package_config_file(cmake/gradtapeConfig.cmake.in
    ${PROJECT_BINARY_DIR}/gradtapeConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradtapeConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradtapeConfig.cmake
              ${PROJECT_BINARY_DIR}/gradtapeConfigVersion.cmake
        DESTINATION ${package_dir})

# A static library cannot name what it needs, so its users link that too; a shared one can.
if(BUILD_SHARED_LIBS)
    set(pc_private ${gt_pc_libs})
    set(pc_requires_field Requires.private)
else()
    set(pc_public ${gt_pc_libs})
    set(pc_requires_field Requires)
endif()
foreach(words pc_public pc_private gt_pc_requires)
    list(JOIN ${words} " " ${words})
endforeach()
# The file finds its prefix from where it lies, so an installed tree may be moved.
file(RELATIVE_PATH pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
configure_file(cmake/gradtape.pc.in ${PROJECT_BINARY_DIR}/gradtape.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gradtape.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
