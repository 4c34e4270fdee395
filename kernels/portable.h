// The one place that knows which compiler reads a formula: the only preprocessor conditional of the project.
#pragma once

#if defined(__CUDACC__)
#define PORTABLE __host__ __device__ inline
#else
#define PORTABLE inline
#endif
