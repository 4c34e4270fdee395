// The one place that knows which compiler reads a source: the only preprocessor conditional of the project.
#pragma once

// PORTABLE: a function for both. BACKEND: the namespace of what nvcc and g++ make of one kernel source, so that both
// fit in one program. KERNEL_LANGUAGE: the header that has the words kernels are written in.
#if defined(__CUDACC__)
#define PORTABLE __host__ __device__ inline
#define BACKEND cuda
#define KERNEL_LANGUAGE "kernels/simt/language_cuda.h"
#else
#define PORTABLE inline
#define BACKEND emulated
#define KERNEL_LANGUAGE "kernels/simt/language_emulated.h"
#endif
