# Mutants of the kernels: one mistake each, of which the records' tests must not be satisfied.

# mutant(<name> <way>): mutant_<name>_<way>, the tests with the mutated kernel compiled and linked as that way is.
function(mutant name way)
  set(description tests/kernels/mutants/${name}.mutant)
  file(READ ${description} text)
  string(REGEX MATCH "^file: ([^\n]*)\nkernel: ([^\n]*)\n" _ "${text}")
  set(file ${CMAKE_MATCH_1})
  set(kernel kernels/${CMAKE_MATCH_2}.cu)
  set(folder ${PROJECT_BINARY_DIR}/mutants/${name})
  if(NOT TARGET mutated_${name})
    add_custom_command(OUTPUT ${folder}/${file} DEPENDS ${description} ${file} tests/kernels/mutants/mutate.sh
                       COMMAND tests/kernels/mutants/mutate.sh ${description} ${folder}
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
    add_custom_target(mutated_${name} DEPENDS ${folder}/${file})
  endif()
  if(file STREQUAL kernel)
    set(kernel ${folder}/${file})
    set_source_files_properties(${kernel} PROPERTIES LANGUAGE CXX GENERATED ON)
  endif()
  add_executable(mutant_${name}_${way} ${kernel} ${simt_${way}_sources})
  add_dependencies(mutant_${name}_${way} mutated_${name})
  target_include_directories(mutant_${name}_${way} BEFORE PRIVATE ${folder})
  target_compile_options(mutant_${name}_${way} PRIVATE -Wno-unknown-pragmas ${simt_${way}_options})
  target_link_libraries(mutant_${name}_${way} PRIVATE emulated_tests emulated_kernels_${way} kernels_simt GTest::gtest_main)
endfunction()

# Three of them are part of the suite; launch/mutants.sh builds and runs all in every way.
file(GLOB mutants CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests/kernels/mutants tests/kernels/mutants/*.mutant)
set(in_suite sum_without_a_barrier_race softmax_row_beyond_the_last_sanitized filter_weight_of_a_neighbour_fast)
foreach(file ${mutants})
  get_filename_component(name ${file} NAME_WE)
  foreach(way fast sanitized race)
    if(NOT SCOREMLE_MUTANTS AND NOT ${name}_${way} IN_LIST in_suite)
      continue()
    endif()
    mutant(${name} ${way})
    if(${name}_${way} IN_LIST in_suite)
      add_test(NAME kernels/mutants/${name}_${way}
               COMMAND tests/kernels/mutants/caught.sh ${name} $<TARGET_FILE:mutant_${name}_${way}>
               WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    endif()
  endforeach()
endforeach()
