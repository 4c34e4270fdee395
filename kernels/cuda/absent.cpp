#include "kernels/cuda/device.h"

namespace kernels::cuda {

std::vector<Gpu> gpus() {
  throw InputError(
      "--device cuda: this program was built without CUDA; use --device cpu, or build it with -DSCOREMLE_CUDA=ON where "
      "nvcc is");
}

std::shared_ptr<Device> open(int) {
  gpus();
  return nullptr;
}

}  // namespace kernels::cuda
