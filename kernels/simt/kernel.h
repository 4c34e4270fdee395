// The words that kernels are written in: include this in a .cu. nvcc gets CUDA; g++ an emulation of it on the CPU.
#pragma once

#include "kernels/portable.h"

#include KERNEL_LANGUAGE
