#include "distributed/trainer.h"

#include <cmath>
#include <numeric>

#include "core/config/load.h"
#include "core/sde/sde.h"
#include "core/storage/file_io.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "distributed/initial_weights.h"
#include "distributed/interrupt.h"
#include "distributed/memory.h"
#include "distributed/sections.h"
#include "distributed/settings.h"

namespace distributed {
namespace {

using core::config::RunConfig;
using core::objective::LossBits;
namespace config = core::config;

std::filesystem::path folder_of(const RunConfig& config) {
  return config.training().directory();
}

/// Due after every `every` steps and after the last; never where `every` is 0.
bool due(std::int64_t step, std::int64_t every, std::int64_t steps) {
  return every > 0 && ((step + 1) % every == 0 || step + 1 == steps);
}

/// Of a trace; the step before them also brings the memory.
constexpr std::int64_t traced_steps = 5;

}  // namespace

Trainer::Trainer(const RunConfig& config, Communicator& communicator, kernels::Collectives& collectives,
                 std::shared_ptr<kernels::Device> device, const core::data::Dataset& training,
                 const core::data::Dataset* heldout, Start start)
    : config_(config),
      communicator_(communicator),
      collectives_(collectives),
      device_(std::move(device)),
      data_(training),
      parameters_(layout_of(core::objective::record_training(config).program.parameters()), sharding_of(config),
                  communicator.rank(), communicator.size()),
      training_(core::objective::record_training(
          config, resident_images(config, communicator, collectives, device_, parameters_,
                                  Assessment::is_wanted(config, heldout != nullptr), training))),
      batches_(training, {training, static_cast<std::uint64_t>(config.seed()), config::global_batch(config)},
               config.training().micro_batch_images(), !training_.samples),
      on_device_(parameters_, device_),
      reducer_(communicator, collectives, device_, parameters_, on_device_.gradient, reduction_of(config),
               config.training().micro_batches(), bucket_elements(config)),
      optimizer_(config, on_device_, parameters_.range(), device_),
      time_law_(core::sde::time_law(config)) {
  require_classes(config, training);
  const RunIdentity identity{.layout = parameters_.layout(),
                             .config = config::text(config),
                             .fixed_config = config::fixed_text(config, training.fingerprint())};
  if (start == Start::fresh)
    require_no_run(communicator, folder_of(config));
  else
    require_resumable(communicator, folder_of(config), identity);
  store_.emplace(communicator, folder_of(config), identity, config.training().keep_checkpoints(),
                 config.training().keep_every());
  const auto images = static_cast<std::size_t>(config.training().micro_batch_images());
  losses_.resize(images);
  times_.resize(images);
  prepare_executor();
  prepare_state(start);
  assessment_.emplace(config, communicator, parameters_, on_device_.ema, device_, training, heldout);
}

void Trainer::prepare_executor() {
  const auto exchange = exchange_within(training_, reducer_, [this](double seconds) { stretch_.waited(seconds); });
  training_.program = core::program::stored(std::move(training_.program), storage_of(config_.training().activations()));
  executor_ = std::make_unique<core::program::Executor>(training_.program, device_, exchange);
  bind_flat(*executor_, training_, parameters_.layout(), on_device_);
  const bool half_sum = config_.objective().loss_reduction() == config::HALF_SUM;
  const double dims = static_cast<double>(data_.shape().elements()), of_an_image = half_sum ? dims / 2 : 1;
  const std::vector<float> share(losses_.size(),
                                 static_cast<float>(of_an_image / static_cast<double>(config::global_batch(config_))));
  executor_->upload(training_.loss_gradient, std::span<const float>(share));
  if (training_.samples) keep_images();
}

/// Sends all images to the device, some at a time.
void Trainer::keep_images() {
  const std::int64_t each = data_.shape().elements(), at_once = std::max<std::int64_t>((1 << 24) / each, 1);
  std::vector<std::uint8_t> pixels;
  for (std::int64_t first = 0; first < data_.size(); first += at_once) {
    const std::int64_t count = std::min(at_once, data_.size() - first);
    pixels.resize(count * each);
#pragma omp parallel for
    for (std::int64_t i = 0; i < count; ++i) data_.read(first + i, std::span(pixels).subspan(i * each, each));
    executor_->upload_part(training_.pixels, first * each, std::span<const std::uint8_t>(pixels));
  }
}

void Trainer::prepare_state(Start start) {
  const auto targets = shard_targets(parameters_);
  const std::optional<Loaded> loaded = start == Start::resume ? store_->load(targets) : std::nullopt;
  kernels::ensure(loaded || start == Start::fresh, "what can be resumed is loaded");
  if (loaded) {
    gather_loaded(communicator_, parameters_);
    first_step_ = loaded->step;
  } else {
    initialise(training_.program, config_.seed(), parameters_.layout(), parameters_.weights());
    if (config_.training().has_init_from()) {
      const auto& origin = config_.training().init_from();
      const Match match = start_from(origin, communicator_, parameters_.layout(), parameters_.weights());
      if (leads()) fmt::print("{}", describe(origin, match));
    }
    const std::span<const float> own = parameters_.range().of(parameters_.weights());
    std::copy(own.begin(), own.end(), parameters_.ema().begin());
  }
  on_device_.state_to_device();
  if (!leads()) return;
  if (loaded) {
    for (const std::string& note : loaded->notes) fmt::print("{}\n", note);
    fmt::print("resumed from {} at step {}\n", loaded->checkpoint, loaded->step);
  }
  core::storage::replace_file(folder_of(config_) / "config.textproto", config::text(config_));
  metrics_.emplace(folder_of(config_), first_step_);
}

int Trainer::run() {
  const std::int64_t steps = config_.training().steps();
  stretch_ = Stretch();
  for (std::int64_t step = first_step_; step < steps; ++step) {
    if (step == first_step_ + 1 && !trace_file_.empty()) start_trace();
    train_step(step);
    stopping_ = agreed_to_stop();
    if (timeline_ && (stopping_ || step == first_step_ + traced_steps || step + 1 == steps)) finish_trace();
    if (stopping_ || due(step, config_.training().log_every(), steps)) report(step);
    if (stopping_ || due(step, config_.training().checkpoint_every(), steps)) save(step);
    const Timer assessing;
    if (due(step, config_.training().evaluate_every(), steps)) assessment_->evaluate(step + 1, metrics());
    if (stopping_ && step + 1 < steps) return exit_interrupted;
    if (due(step, config_.training().sample_every(), steps)) assessment_->sample(step + 1, metrics());
    stretch_.paused(assessing.seconds());
  }
  assessment_->conclude();
  return 0;
}

void Trainer::train_step(std::int64_t step) {
  using core::program::Exchanging;
  const Timeline::Span whole(timeline_.get(), fmt::format("step {}", step));
  const MicroBatches own = reducer_.micro_batches();
  auto exchanging = Exchanging::no;
  for (int micro_batch = own.begin; micro_batch < own.end; ++micro_batch) {
    const bool is_last = micro_batch + 1 == own.end;
    if (is_last && collectives_.within_programs()) exchanging = Exchanging::yes;
    check_finite(compute(step, micro_batch, exchanging));
    LossBits bits;
    for (std::size_t i = 0; i < losses_.size(); ++i) bits.add(time_law_, times_[i], losses_[i]);
    reducer_.add(micro_batch, bits.numbers());
  }
  const Timer waiting;
  const auto [numbers, norm] = finish_gradient(exchanging);
  stretch_.waited(waiting.seconds());
  if (!std::isfinite(norm)) report_non_finite_gradient(step);
  update(step, norm);
  stretch_.add(LossBits(numbers), norm);
}

/// The summed numbers of all micro-batches, and the norm of the summed gradient.
Reducer::Sums Trainer::finish_gradient(core::program::Exchanging exchanged) {
  const Timeline::Span span(timeline_.get(), "sum of gradients");
  if (exchanged == core::program::Exchanging::no) reducer_.exchange();
  return reducer_.finish();
}

void Trainer::update(std::int64_t step, double gradient_norm) {
  const Timeline::Span span(timeline_.get(), "update");
  optimizer_.step(step, gradient_norm);
  if (parameters_.sharding() == Sharding::none) return;
  const std::span<float> weights = on_device_.weights.device();
  collectives_.start_all_gather(weights, shard_sizes(std::ssize(weights), communicator_.size()));
  collectives_.join();
}

const Batch& Trainer::compute(std::int64_t step, int micro_batch, core::program::Exchanging exchanging) {
  const Batch& batch = upload_images(step, micro_batch);
  distributed::run(*executor_, training_.program, timeline_.get(), exchanging);
  const MicroBatches own = reducer_.micro_batches();
  const bool is_last = micro_batch + 1 == own.end;
  if (!is_last || step + 1 < config_.training().steps()) {
    const Timeline::Span span(timeline_.get(), "the next images");
    batches_.make_ready(step + is_last, is_last ? own.begin : micro_batch + 1);
  }
  executor_->download(training_.loss, std::span(losses_));
  executor_->download(training_.time, std::span(times_));
  return batch;
}

const Batch& Trainer::upload_images(std::int64_t step, int micro_batch) {
  const Timeline::Span span(timeline_.get(), "images");
  const Batch& batch = batches_.take(step, micro_batch);
  if (training_.samples)
    executor_->upload(training_.samples, std::span<const std::int64_t>(batch.samples));
  else
    executor_->upload(training_.pixels, std::span<const std::uint8_t>(batch.pixels));
  if (training_.labels) executor_->upload(training_.labels, std::span<const std::int64_t>(batch.labels));
  executor_->upload(training_.positions, std::span<const std::int64_t>(batch.positions));
  return batch;
}

void Trainer::check_finite(const Batch& batch) {
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    if (std::isfinite(losses_[i])) continue;
    const auto where = executor_->find_non_finite();
    throw kernels::RunError(
        fmt::format(
            "{}: step {}, micro-batch {}: the loss of image {} at time {:.6g} is {}{}; begin another run from a "
            "checkpoint of this one by --init-from, with a smaller optimizer.learning_rate",
            communicator_.name(), batch.step, batch.micro_batch, batch.samples[i], times_[i], losses_[i],
            where ? fmt::format(", first seen in {} of {}", where->operation, where->tensor) : ""),
        exit_not_finite);
  }
}

void Trainer::report_non_finite_gradient(std::int64_t step) {
  std::string found;
  const MicroBatches own = reducer_.micro_batches();
  for (int micro_batch = own.begin; micro_batch < own.end && found.empty(); ++micro_batch) {
    compute(step, micro_batch, core::program::Exchanging::no);
    if (const auto where = executor_->find_non_finite()) {
      found = fmt::format("{}: step {}, micro-batch {}: {} of {} is not finite", communicator_.name(), step,
                          micro_batch, where->operation, where->tensor);
      if (where->image < std::ssize(times_))
        found += fmt::format(" (time {:.6g})", times_[static_cast<std::size_t>(where->image)]);
    }
  }
  for (const std::string& text : communicator_.all_gather(found)) {
    if (!text.empty()) throw kernels::RunError(text, exit_not_finite);
  }
  throw kernels::RunError(
      fmt::format("step {}: the sum of finite gradients over the ranks is not finite: they overflow", step),
      exit_not_finite);
}

void Trainer::report(std::int64_t step) {
  double resident[] = {resident_mib()};
  communicator_.all_reduce(std::span<double>(resident), Combine::max);
  if (leads()) {
    Progress progress = stretch_.progress(step + 1, config_.training().steps());
    progress.learning_rate = learning_rate(config_, step);
    progress.resident_mib = resident[0];
    fmt::print("{}\n", progress_line(progress));
    std::fflush(stdout);
    metrics_->write(progress);
  }
  stretch_ = Stretch();
}

void Trainer::save(std::int64_t step) {
  on_device_.state_to_host();
  const SaveResult result = store_->save(step + 1, shard_sections(parameters_), {});
  const bool last = step + 1 == config_.training().steps() || stopping_;
  // Earlier ones may fail: training goes on, and the next may succeed. What ends with the run does not.
  if (last && result.outcome == SaveOutcome::failed) throw kernels::RunError(result.text, exit_not_saved);
  if (leads()) fmt::print(result.outcome == SaveOutcome::committed ? stdout : stderr, "{}\n", result.text);
  stretch_.paused(result.seconds);
}

void Trainer::trace(const std::filesystem::path& file) {
  kernels::require(first_step_ + 1 < config_.training().steps(),
                   "--trace: traces from the second step of a job on, but this one goes from step {} to {}",
                   first_step_, config_.training().steps());
  trace_file_ = file;
}

void Trainer::start_trace() {
  communicator_.barrier();  // the ranks' clocks begin together
  timeline_ = std::make_unique<Timeline>();
}

void Trainer::finish_trace() {
  const std::vector<std::string> events = communicator_.all_gather(timeline_->events(communicator_.rank()));
  timeline_.reset();
  if (!leads()) return;
  write_timeline(trace_file_, events);
  fmt::print("trace: {} (open it in ui.perfetto.dev or chrome://tracing)\n", trace_file_.string());
}

bool Trainer::agreed_to_stop() {
  const bool asked = interrupted(leads() ? folder_of(config_) / "HALT" : std::filesystem::path());
  std::int64_t flag[] = {asked};
  communicator_.all_reduce(std::span<std::int64_t>(flag), Combine::max);
  return flag[0] != 0;
}

}  // namespace distributed
