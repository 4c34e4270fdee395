# Kernels for the GPU, kernels/*.cu: as g++ compiles them for the emulated device of kernels/simt, and as nvcc does.
file(GLOB gpu_kernels CONFIGURE_DEPENDS kernels/*.cu)

# As nvcc compiles them, where there is one, and the GPU as a device: the library kernels_cuda.
find_program(SCOREMLE_NVCC nvcc HINTS /usr/local/cuda/bin ENV CUDA_HOME PATH_SUFFIXES bin)
if(SCOREMLE_NVCC)
  set(nvcc_found ON)
else()
  set(nvcc_found OFF)
  message(STATUS "No nvcc: the kernels are compiled for the emulated GPU alone")
endif()
option(SCOREMLE_CUDA "compile the kernels for NVIDIA's GPUs" ${nvcc_found})
if(SCOREMLE_CUDA)
  get_filename_component(cuda_root ${SCOREMLE_NVCC} REALPATH)
  get_filename_component(cuda_root ${cuda_root}/../.. ABSOLUTE)
  find_library(SCOREMLE_CUDART cudart_static HINTS ${cuda_root}/lib64 ${cuda_root}/targets/x86_64-linux/lib REQUIRED)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/cuda)
  set(nvcc ${SCOREMLE_NVCC})
  if(CCACHE)
    list(PREPEND nvcc ${CCACHE})
  endif()
  foreach(source ${gpu_kernels})
    get_filename_component(stem ${source} NAME_WE)
    set(object ${PROJECT_BINARY_DIR}/cuda/${stem}.o)
    add_custom_command(OUTPUT ${object} BYPRODUCTS ${object}.ptxas DEPENDS ${source} kernels/nvcc.sh DEPFILE ${object}.d
                       COMMAND kernels/nvcc.sh ${source} ${object} ${nvcc} -I ${PROJECT_SOURCE_DIR}
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMENT "nvcc ${stem}.cu" VERBATIM)
    list(APPEND cuda_objects ${object})
    list(APPEND ptxas_output ${object}.ptxas)
  endforeach()
  add_library(kernels_cuda STATIC ${cuda_objects} kernels/cuda/blas.cpp kernels/cuda/device.cpp kernels/cuda/staging.cpp)
  target_include_directories(kernels_cuda SYSTEM PRIVATE ${cuda_root}/include)
  target_link_libraries(kernels_cuda PUBLIC kernels ${SCOREMLE_CUDART} rt dl)
else()
  add_library(kernels_cuda STATIC kernels/cuda/absent.cpp)
  target_link_libraries(kernels_cuda PUBLIC kernels)
endif()

if(NOT SCOREMLE_TESTS)
  return()
endif()

# The emulated device, but for how it switches stacks: by the CPU's own instructions where we have them.
file(GLOB simt_sources CONFIGURE_DEPENDS kernels/simt/*.cpp)
list(FILTER simt_sources EXCLUDE REGEX "/(switch_[a-z0-9_]*|thread_hooks)\\.cpp$")
add_library(kernels_simt STATIC ${simt_sources})
target_link_libraries(kernels_simt PUBLIC kernels)
set(simt_switch kernels/simt/switch_ucontext.cpp)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(simt_switch kernels/simt/switch_x86_64.cpp)
endif()

# Tests, compiled once: their own, and those of the records that have a kernel.
file(GLOB emulated_tests CONFIGURE_DEPENDS tests/kernels/simt/*_test.cpp tests/kernels/emulated/*.cpp)
foreach(kernel ${gpu_kernels})
  get_filename_component(stem ${kernel} NAME_WE)
  list(APPEND record_tests tests/kernels/${stem}_test.cpp)
endforeach()
add_library(emulated_tests OBJECT ${emulated_tests} ${record_tests})
target_link_libraries(emulated_tests PUBLIC kernels_simt GTest::gtest_main)
target_include_directories(emulated_tests PRIVATE tests/kernels/emulated)
of_tests(emulated_tests)

# emulated_kernels(<way> <option>...): all that is written in .cu, compiled by g++ in one way.
file(GLOB probes CONFIGURE_DEPENDS tests/kernels/simt/*.cu)
set_source_files_properties(${gpu_kernels} ${probes} PROPERTIES LANGUAGE CXX)
function(emulated_kernels way)
  add_library(emulated_kernels_${way} STATIC ${gpu_kernels} ${probes})
  target_link_libraries(emulated_kernels_${way} PUBLIC kernels)
  target_compile_options(emulated_kernels_${way} PRIVATE -Wno-unknown-pragmas ${simt_${way}_options})
  target_link_options(emulated_kernels_${way} INTERFACE ${simt_${way}_link_options})
endfunction()

# emulated_program(<name> <way> <filter of tests> <source>...): tests with the kernels of one way.
function(emulated_program name way filter)
  add_executable(test_simt_${name} ${ARGN})
  target_link_libraries(test_simt_${name} PRIVATE emulated_tests emulated_kernels_${way} kernels_simt GTest::gtest_main)
  gtest_discover_tests(test_simt_${name} TEST_PREFIX kernels/emulated/${name}/ TEST_FILTER ${filter}
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 600 ENVIRONMENT ${test_environment}
                                  FIXTURES_SETUP emulated_${name})
endfunction()

# The ways: how kernels are compiled, and what their programs have beside the tests.
set(all_orders tests/kernels/simt/orders_all.cpp)
set(one_order tests/kernels/simt/orders_one.cpp)
set(no_library tests/kernels/simt/library_none.cpp)
set(a_library tests/kernels/simt/library_emulated.cpp)
set(simt_fast_options -O2 -ftrivial-auto-var-init=pattern --coverage)
set(simt_fast_link_options --coverage)
set(simt_fast_sources ${simt_switch} ${all_orders} ${no_library})
set(simt_sanitized_options -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
set(simt_sanitized_link_options -fsanitize=address,undefined)
set(simt_sanitized_sources ${simt_switch} ${one_order} ${no_library})
# The calls that the compiler inserts are answered by our own hooks, not by the thread sanitizer's library.
set(simt_race_options -O1 -g1 -fsanitize=thread --param=tsan-instrument-func-entry-exit=0)
set(simt_race_sources ${simt_switch} ${one_order} ${no_library} kernels/simt/thread_hooks.cpp)
set_source_files_properties(${simt_switch} ${all_orders} ${one_order} ${no_library} kernels/simt/thread_hooks.cpp
                            PROPERTIES COMPILE_OPTIONS -fno-sanitize=all)

emulated_kernels(fast)
emulated_program(fast fast * ${simt_fast_sources})
emulated_program(library fast Linear*:Conv* ${simt_switch} ${all_orders} ${a_library})
add_test(NAME kernels/emulated/coverage COMMAND tests/kernels/emulated/coverage.sh ${PROJECT_BINARY_DIR}
         WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(kernels/emulated/coverage PROPERTIES FIXTURES_REQUIRED "emulated_fast;emulated_library")
emulated_program(portable fast Barriers.*:Warps.*:SharedMemory.*:AsynchronousCopy.*:Tile.*
                 kernels/simt/switch_ucontext.cpp ${all_orders} ${no_library})
if(NOT SCOREMLE_SANITIZE)
  file(GLOB address_tests CONFIGURE_DEPENDS tests/kernels/simt/sanitized/*.cpp)
  emulated_kernels(sanitized)
  emulated_program(sanitized sanitized * ${simt_sanitized_sources} ${address_tests})
  file(GLOB race_tests CONFIGURE_DEPENDS tests/kernels/simt/race/*.cpp)
  emulated_kernels(race)
  emulated_program(race race *-LargeTiles.* ${simt_race_sources} ${race_tests})
  include(tests/kernels/mutants/mutants.cmake)
endif()

if(SCOREMLE_CUDA)
  # The records' tests on a GPU; here it is only seen that they link, since without one they can but fail.
  add_library(cuda_record_tests OBJECT ${record_tests} tests/kernels/emulated/large_tiles_test.cpp)
  target_link_libraries(cuda_record_tests PUBLIC kernels_cuda GTest::gtest_main)
  target_include_directories(cuda_record_tests PUBLIC tests/kernels/cuda_records ${cuda_root}/include)
  of_tests(cuda_record_tests)
  add_executable(test_cuda_records tests/kernels/cuda_records/library_none.cpp)
  add_executable(test_cuda_records_cublas tests/kernels/cuda_records/library_cublas.cpp)
  foreach(program test_cuda_records test_cuda_records_cublas)
    target_link_libraries(${program} PRIVATE cuda_record_tests)
    of_tests(${program})
    add_test(NAME kernels/cuda/${program}_link COMMAND ${program} --gtest_list_tests)
  endforeach()

  file(GLOB cuda_tests CONFIGURE_DEPENDS tests/kernels/cuda/*.cpp)
  if(EXISTS ${cuda_root}/include/nccl.h)
    list(APPEND cuda_tests tests/kernels/cuda/nccl/header_test.cpp)
  else()
    message(STATUS "No nccl.h: kernels/nccl.h is not compared with it")
  endif()
  # What the program says to drivers that are not here.
  add_library(fake_driver SHARED tests/kernels/cuda/fake_driver/driver.cpp)
  set_target_properties(fake_driver PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1
                        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fake_driver)

  # Launches, with a GPU or without, and the instructions that we write as PTX beside their emulation.
  set(tile ${PROJECT_BINARY_DIR}/cuda/probes.o)
  add_custom_command(OUTPUT ${tile} BYPRODUCTS ${tile}.ptxas DEPENDS tests/kernels/simt/tile.cu kernels/nvcc.sh
                     DEPFILE ${tile}.d
                     COMMAND kernels/nvcc.sh tests/kernels/simt/tile.cu ${tile} ${nvcc} -I ${PROJECT_SOURCE_DIR}
                     WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMENT "nvcc tile.cu" VERBATIM)
  add_executable(test_cuda ${cuda_tests} ${tile} ${simt_switch})
  target_link_libraries(test_cuda PRIVATE emulated_kernels_fast kernels_simt kernels_cuda GTest::gtest_main)
  target_include_directories(test_cuda PRIVATE ${cuda_root}/include)
  of_tests(test_cuda)
  gtest_discover_tests(test_cuda TEST_PREFIX kernels/cuda/ WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_MODE PRE_TEST)
  add_test(NAME kernels/cuda/ptxas_table COMMAND tests/kernels/cuda/ptxas_table.sh ${ptxas_output}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endif()
