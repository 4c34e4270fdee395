#include "distributed/memory.h"

#include <algorithm>

#include "core/objective/score_network.h"
#include "core/sde/sde.h"
#include "distributed/agreement.h"
#include "distributed/binding.h"
#include "distributed/optimizer.h"
#include "distributed/settings.h"

namespace distributed {
namespace {

/// All that a Trainer makes on a device, made on one that only counts.
std::size_t training_bytes(const core::config::RunConfig& config, Communicator& communicator,
                           kernels::Collectives& collectives, kernels::Device& device, const Parameters& parameters,
                           bool assessed) {
  const auto counting = std::make_shared<kernels::CountingDevice>(device);
  const MirroredParameters mirrored(parameters, counting);
  Reducer reducer(communicator, collectives, counting, parameters, mirrored.gradient, reduction_of(config),
                  config.training().micro_batches(), bucket_elements(config));
  const Optimizer optimizer(config, mirrored, parameters.range(), counting);
  const core::program::Executor executor(core::program::stored(core::objective::record_training(config).program,
                                                               storage_of(config.training().activations())),
                                         counting);
  if (assessed) {
    const Mirrored ema(counting, parameters.weights(), "averaged weights");
    core::objective::ScoreNetwork network(core::model::unet_spec(config), core::sde::sde_of(config),
                                          config.evaluation().batch_images(), counting,
                                          storage_of(config.evaluation().activations()));
    bind_flat(network, parameters.layout(), ema.device());
    network.inside(core::objective::ScoreNetwork::Calls::value);
  }
  return counting->taken();
}

double gib(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

}  // namespace

std::int64_t resident_images(const core::config::RunConfig& config, Communicator& communicator,
                             kernels::Collectives& collectives, const std::shared_ptr<kernels::Device>& device,
                             const Parameters& parameters, bool assessed, const core::data::Dataset& dataset) {
  if (device->residence() == kernels::Residence::host) return 0;
  const std::size_t free = device->free_bytes().value(),
                    images = static_cast<std::size_t>(dataset.size() * dataset.shape().elements());
  std::size_t training = 0;
  agree(communicator, [&] {
    training = training_bytes(config, communicator, collectives, *device, parameters, assessed);
    kernels::require(training <= free,
                     "out of memory: training takes {:.3f} GiB of {}, which has {:.3f} GiB free: use more and smaller "
                     "micro-batches, or training.recompute: BLOCKS",
                     gib(training), device->name(), gib(free));
  });
  const std::vector<std::int64_t> fits = communicator.all_gather(training + images <= free);
  const bool resident = std::ranges::count(fits, 0) == 0;
  if (communicator.rank() == 0)
    fmt::print("memory of the device: training takes {:.3f} GiB, all images {:.3f}, free are {:.3f}: images {}\n",
               gib(training), gib(images), gib(free), resident ? "are kept there" : "are sent batch by batch");
  return resident ? dataset.size() : 0;
}

}  // namespace distributed
