// Which library moves gradients between the ranks' devices.
#pragma once

#include <memory>

#include "distributed/communicator.h"
#include "kernels/collectives.h"
#include "kernels/device.h"
#include "kernels/nccl.h"

namespace distributed {

/// By way of the communicator, which reads the host's memory: from there where the device computes in it, else by
/// copies of what is moved. The communicator must outlive it.
std::unique_ptr<kernels::Collectives> make_host_collectives(Communicator& communicator,
                                                            std::shared_ptr<kernels::Device> device);

/// NCCL, to whose ranks rank 0 gives a name by the communicator. Collective.
std::unique_ptr<kernels::Collectives> connect_nccl(kernels::nccl::Calls calls, Communicator& communicator,
                                                   std::shared_ptr<kernels::Device> device);

enum class CollectivesChoice {
  automatic,  ///< NCCL for several ranks on GPUs, else by way of the communicator
  nccl,
  mpi,
};

/// Throws InputError where NCCL is chosen without a GPU, or is not found. Collective.
std::unique_ptr<kernels::Collectives> make_collectives(CollectivesChoice choice, Communicator& communicator,
                                                       std::shared_ptr<kernels::Device> device);

}  // namespace distributed
