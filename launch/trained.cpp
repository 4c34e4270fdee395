#include "launch/trained.h"

#include <unistd.h>

#include <cstdio>

#include "core/config/load.h"
#include "core/model/unet.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "distributed/metrics.h"
#include "distributed/settings.h"

namespace launch {

Trained::Trained(const core::config::RunConfig& config, distributed::Communicator& communicator,
                 std::shared_ptr<kernels::Device> device, const RunFlags& flags, std::int64_t batch_images)
    : network_(core::model::unet_spec(config), core::sde::sde_of(config), batch_images, device,
               distributed::storage_of(config.evaluation().activations())),
      layout_(distributed::layout_of(network_.parameters())),
      weights_(layout_.total),
      mirrored_(std::move(device), weights_.span(), "weights") {
  const auto step = flags.step >= 0 ? std::optional(flags.step) : std::nullopt;
  const auto loaded = distributed::load_section(communicator, flags.directory, step, layout_, "ema", weights_.span());
  step_ = loaded.step;
  const core::config::RunConfig trained = core::config::valid_text(loaded.config, loaded.checkpoint, {});
  kernels::require(core::config::network_text(trained) == core::config::network_text(config),
                   "{}/config.textproto: is of another network than {}: put the run's own config back", flags.directory,
                   loaded.checkpoint);
  mirrored_.to_device();
  distributed::bind_flat(network_, layout_, mirrored_.device());
}

std::function<void(std::int64_t, std::int64_t)> progress_bar(std::string name) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  return [name = std::move(name), terminal, timer = distributed::Timer(), tenth = std::int64_t{0}](
             std::int64_t done, std::int64_t of) mutable {
    const double rate = static_cast<double>(done) / timer.seconds(), left = static_cast<double>(of - done) / rate;
    if (terminal) {
      fmt::print(stderr, "\r{} {}/{}  {:.3g}/s  {:.0f} s left   {}", name, done, of, rate, left,
                 done == of ? "\n" : "");
    } else if (done * 10 / of > tenth) {
      tenth = done * 10 / of;
      fmt::print(stderr, "{} {}/{}  {:.3g}/s  {:.0f} s left\n", name, done, of, rate, left);
    }
    std::fflush(stderr);
  };
}

}  // namespace launch
