// What kernels/nccl.h says of NCCL's C interface, against NCCL's own header.
#include <nccl.h>

#include <gtest/gtest.h>

#include "kernels/nccl.h"

namespace kernels::nccl {
namespace {

template <typename F, typename... Arguments>
constexpr bool takes = std::is_same_v<F, ncclResult_t (*)(Arguments...)>;

static_assert(sizeof(UniqueId) == sizeof(ncclUniqueId) && sizeof(Result) == sizeof(ncclResult_t));
static_assert(sizeof(DataType) == sizeof(ncclDataType_t) && sizeof(Operation) == sizeof(ncclRedOp_t));
static_assert(sizeof(Comm) == sizeof(ncclComm_t) && sizeof(Stream) == sizeof(cudaStream_t));
static_assert(takes<decltype(&ncclGetVersion), int*>);
static_assert(takes<decltype(&ncclGetUniqueId), ncclUniqueId*>);
static_assert(takes<decltype(&ncclCommInitRank), ncclComm_t*, int, ncclUniqueId, int>);
static_assert(takes<decltype(&ncclCommAbort), ncclComm_t>);
static_assert(takes<decltype(&ncclCommGetAsyncError), ncclComm_t, ncclResult_t*>);
static_assert(takes<decltype(&ncclGroupStart)> && takes<decltype(&ncclGroupEnd)>);
static_assert(takes<decltype(&ncclAllReduce), const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t,
                    cudaStream_t>);
static_assert(takes<decltype(&ncclReduce), const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, int,
                    ncclComm_t, cudaStream_t>);
static_assert(
    takes<decltype(&ncclBroadcast), const void*, void*, std::size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t>);
static_assert(takes<decltype(&ncclSend), const void*, std::size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t>);
static_assert(takes<decltype(&ncclRecv), void*, std::size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t>);
static_assert(std::is_same_v<decltype(&ncclGetErrorString), const char* (*)(ncclResult_t)>);
static_assert(std::is_same_v<decltype(&ncclGetLastError), const char* (*)(ncclComm_t)>);

TEST(NcclHeader, HasOurNumbers) {
  EXPECT_EQ(static_cast<int>(ncclSuccess), success);
  EXPECT_EQ(static_cast<int>(ncclInProgress), in_progress);
  EXPECT_EQ(static_cast<int>(ncclFloat32), static_cast<int>(DataType::float32));
  EXPECT_EQ(static_cast<int>(ncclSum), static_cast<int>(Operation::sum));
}

}  // namespace
}  // namespace kernels::nccl
