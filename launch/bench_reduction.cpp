// scoremle bench reduction: how much of the exchange of gradients is hidden behind the backward pass.
#include <numeric>

#include "core/config/load.h"
#include "core/objective/training_program.h"
#include "distributed/binding.h"
#include "distributed/initial_weights.h"
#include "distributed/metrics.h"
#include "distributed/reducer.h"
#include "distributed/settings.h"
#include "launch/bench.h"

namespace launch {
namespace {

using core::program::Exchanging;
using distributed::Reduction;

/// Seconds of one step's parts, on the slowest rank.
struct Times {
  double compute = INFINITY, exchange = INFINITY, step = INFINITY;
};

/// The micro-batches of one rank, with or without the exchange.
class Step {
 public:
  Step(const core::config::RunConfig& config, distributed::Communicator& communicator,
       kernels::Collectives& collectives, std::shared_ptr<kernels::Device> device, Reduction reduction)
      : training_(core::objective::record_training(config)),
        parameters_(distributed::layout_of(training_.program.parameters()), distributed::Sharding::none,
                    communicator.rank(), communicator.size()),
        device_(std::move(device)),
        on_device_(parameters_, device_),
        reducer_(communicator, collectives, device_, parameters_, on_device_.gradient, reduction,
                 config.training().micro_batches(), std::int64_t{config.training().bucket_kib()} * 1024 / 4) {
    const auto exchange = distributed::exchange_within(training_, reducer_, [](double) {});
    within_ = exchange ? Exchanging::yes : Exchanging::no;
    executor_ = std::make_unique<core::program::Executor>(
        core::program::stored(training_.program, distributed::storage_of(config.training().activations())), device_,
        exchange);
    distributed::initialise(training_.program, config.seed(), parameters_.layout(), parameters_.weights());
    on_device_.state_to_device();
    distributed::bind_flat(*executor_, training_, parameters_.layout(), on_device_);
  }

  void compute() {
    for (int i = 0; i < reducer_.micro_batches().count(); ++i) executor_->run(Exchanging::no);
    device_->finish();
  }
  void exchange() {
    for (int i = reducer_.micro_batches().begin; i < reducer_.micro_batches().end; ++i) reducer_.add(i);
    reducer_.exchange();
    reducer_.finish();
  }
  void whole() {
    for (int i = reducer_.micro_batches().begin; i < reducer_.micro_batches().end; ++i) {
      executor_->run(i + 1 == reducer_.micro_batches().end ? within_ : Exchanging::no);
      reducer_.add(i);
    }
    if (within_ == Exchanging::no) reducer_.exchange();
    reducer_.finish();
  }
  double gradient_mib() const { return static_cast<double>(parameters_.layout().total) * 4 / (1 << 20); }

 private:
  core::objective::TrainingProgram training_;
  distributed::Parameters parameters_;
  std::shared_ptr<kernels::Device> device_;
  distributed::MirroredParameters on_device_;
  distributed::Reducer reducer_;
  Exchanging within_ = Exchanging::no;  // the program of the last micro-batch
  std::unique_ptr<core::program::Executor> executor_;
};

Times measure(Step& step, distributed::Communicator& communicator, int runs) {
  const auto seconds = [&](void (Step::*part)()) {
    communicator.barrier();
    const distributed::Timer timer;
    (step.*part)();
    double took[] = {timer.seconds()};
    communicator.all_reduce(std::span<double>(took), distributed::Combine::max);
    return took[0];
  };
  seconds(&Step::whole);
  Times best;
  for (int run = 0; run < runs; ++run) {
    best.compute = std::min(best.compute, seconds(&Step::compute));
    best.exchange = std::min(best.exchange, seconds(&Step::exchange));
    best.step = std::min(best.step, seconds(&Step::whole));
  }
  return best;
}

}  // namespace

int bench_reduction(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  distributed::Communicator& communicator = session.communicator();
  kernels::require(communicator.size() > 1, "bench reduction: one rank exchanges nothing; start it under mpirun -n 2");
  const auto device = open_device(flags.device, config.training().threads(), communicator);
  const auto collectives = open_collectives(flags.collectives, flags.device, communicator, device);
  for (const auto& [name, reduction] :
       {std::pair("DETERMINISTIC", Reduction::deterministic), std::pair("FAST", Reduction::fast)}) {
    Step step(config, communicator, *collectives, device, reduction);
    const Times t = measure(step, communicator, flags.runs);
    if (communicator.rank() != 0) continue;
    const double exposed = std::max(0.0, t.step - t.compute);
    fmt::print(
        "{:<13} {:.1f} MiB of gradients: compute {:.2f} ms, exchange alone {:.2f} ms, both {:.2f} ms: exposed "
        "{:.2f} ms, {:.0f} % hidden; the fastest of {}\n",
        name, step.gradient_mib(), 1e3 * t.compute, 1e3 * t.exchange, 1e3 * t.step, 1e3 * exposed,
        100 * std::max(0.0, 1 - exposed / t.exchange), flags.runs);
  }
  return 0;
}

}  // namespace launch
