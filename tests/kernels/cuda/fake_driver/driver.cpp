// Stands for NVIDIA's driver, libcuda.so.1, where there is none: of the version that FAKE_DRIVER says (12040: CUDA
// 12.4), on a machine without a GPU.
#include <cstdlib>
#include <cstring>

extern "C" {

int cuDriverGetVersion(int* version) {
  const char* text = std::getenv("FAKE_DRIVER");
  *version = text ? std::atoi(text) : 0;
  return 0;
}
int cuInit(unsigned) {
  return 100;  // CUDA_ERROR_NO_DEVICE
}
int not_there() {
  return 999;  // CUDA_ERROR_UNKNOWN
}

int cuGetProcAddress_v2(const char* name, int (**found)(), int, unsigned long, int* status) {
  if (status) *status = 0;
  *found = &not_there;
  if (std::strcmp(name, "cuDriverGetVersion") == 0) *found = reinterpret_cast<int (*)()>(&cuDriverGetVersion);
  if (std::strcmp(name, "cuInit") == 0) *found = reinterpret_cast<int (*)()>(&cuInit);
  if (std::strcmp(name, "cuGetProcAddress") == 0) *found = reinterpret_cast<int (*)()>(&cuGetProcAddress_v2);
  return 0;
}
int cuGetProcAddress(const char* name, int (**found)(), int version, unsigned long flags) {
  return cuGetProcAddress_v2(name, found, version, flags, nullptr);
}
}
