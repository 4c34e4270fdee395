#include <fmt/ranges.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/config/load.h"
#include "kernels/check.h"

namespace core::config {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// An interval of allowed values; each end is allowed or not.
struct Interval {
  double low, high;
  bool low_allowed = true, high_allowed = true;
  bool has(double value) const {
    return (low_allowed ? value >= low : value > low) && (high_allowed ? value <= high : value < high);
  }
  std::string text() const {
    if (high == infinity) return low_allowed ? fmt::format("at least {}", low) : fmt::format("greater than {}", low);
    return fmt::format("in {}{}, {}{}", low_allowed ? "[" : "(", low, high, high_allowed ? "]" : ")");
  }
};
constexpr Interval at_least(double low) {
  return {low, infinity, true, false};
}
constexpr Interval positive{0, infinity, false, false};
constexpr Interval probability{0, 1, true, false};

class Checker {
 public:
  void fail(std::string field, std::string message) { found.push_back({std::move(field), std::move(message)}); }
  /// A numeric field that must be set, in the interval.
  void number(const std::string& field, bool set, double value, const Interval& allowed) {
    if (!set) return fail(field, fmt::format("must be set: a number {}", allowed.text()));
    if (!allowed.has(value)) fail(field, fmt::format("is {}, must be {}", value, allowed.text()));
  }
  std::vector<Violation> found;
};

void check_source(Checker& c, const std::string& path, const Source& source) {
  switch (source.kind_case()) {
    case Source::kFiles:
      if (source.files().path().empty())
        c.fail(path + ".files.path", "must name at least one folder or file of images");
      break;
    case Source::kPacked:
      if (source.packed().path().empty()) c.fail(path + ".packed.path", "must name the folder of a packed set");
      if (source.packed().has_stage_to() && source.packed().stage_to().empty())
        c.fail(path + ".packed.stage_to", "must name a folder, or be left out");
      break;
    case Source::kGaussianField: {
      const auto& field = source.gaussian_field();
      const std::string at = path + ".gaussian_field";
      c.number(at + ".images", field.has_images(), static_cast<double>(field.images()), {1, 0x1p62});
      c.number(at + ".first", field.has_first(), static_cast<double>(field.first()), {0, 0x1p62});
      c.number(at + ".standard_deviation", field.has_standard_deviation(), field.standard_deviation(), positive);
      c.number(at + ".correlation", field.has_correlation(), field.correlation(), probability);
      c.number(at + ".channel_correlation", field.has_channel_correlation(), field.channel_correlation(), probability);
      const double reach = 4.5 * field.standard_deviation();
      if (!(field.mean() - reach >= 0 && field.mean() + reach <= 255)) {
        c.fail(
            at + ".mean",
            fmt::format("is {}; mean ± 4.5 standard deviations must stay within 0..255, so that clipping is negligible",
                        field.mean()));
      }
      break;
    }
    case Source::kUniformPixels:
      c.number(path + ".uniform_pixels.images", source.uniform_pixels().has_images(),
               static_cast<double>(source.uniform_pixels().images()), {1, 0x1p62});
      c.number(path + ".uniform_pixels.first", true, static_cast<double>(source.uniform_pixels().first()), {0, 0x1p62});
      break;
    case Source::kFiniteSet:
      c.number(path + ".finite_set.images", source.finite_set().has_images(),
               static_cast<double>(source.finite_set().images()), at_least(1));
      c.number(path + ".finite_set.distinct", source.finite_set().has_distinct(), source.finite_set().distinct(),
               at_least(1));
      if (source.finite_set().distinct() > 0 && source.finite_set().images() % source.finite_set().distinct() != 0) {
        c.fail(path + ".finite_set.images",
               fmt::format("is {}, must be a multiple of the {} distinct images: each occurs equally often",
                           source.finite_set().images(), source.finite_set().distinct()));
      }
      break;
    case Source::KIND_NOT_SET:  // asked for by what reads images: require_source()
      break;
  }
}

void check_data(Checker& c, const Data& data) {
  check_source(c, "data.training", data.training());
  if (data.has_heldout()) check_source(c, "data.heldout", data.heldout());
  c.number("data.image_size", data.has_image_size(), data.image_size(), {4, 4096});
  if (data.image_size() % 2 != 0) c.fail("data.image_size", fmt::format("is {}, must be even", data.image_size()));
  if (data.channels() != 1 && data.channels() != 3)
    c.fail("data.channels", fmt::format("is {}, must be 1 (grey) or 3 (colour)", data.channels()));
}

void check_sde(Checker& c, const Sde& sde) {
  c.number("sde.beta_min", true, sde.beta_min(), positive);
  c.number("sde.beta_max", true, sde.beta_max(), {sde.beta_min(), 1000, false, true});
  c.number("sde.sigma_min", true, sde.sigma_min(), {1e-6, 1e3});
  c.number("sde.sigma_max", true, sde.sigma_max(), {sde.sigma_min(), 1e6, false, true});
  c.number("sde.smallest_time", true, sde.smallest_time(), {1e-9, 0.5, true, false});
}

void check_model(Checker& c, const Model& model, SdeKind kind, int image_size) {
  c.number("model.channels", model.has_channels(), model.channels(), {8, 4096});
  if (model.channels() % 4 != 0)
    c.fail("model.channels", fmt::format("is {}, must be a multiple of 4", model.channels()));
  if (model.channel_multipliers().empty())
    c.fail("model.channel_multipliers", "must have one entry a level, for example [1, 2, 2]");
  for (int multiplier : model.channel_multipliers()) c.number("model.channel_multipliers", true, multiplier, {1, 64});
  c.number("model.blocks", model.has_blocks(), model.blocks(), {1, 64});
  c.number("model.dropout", true, model.dropout(), probability);
  c.number("model.fourier_scale", true, model.fourier_scale(), positive);
  c.number("model.head_channels", true, model.head_channels(), {0, 1 << 16});
  c.number("model.group_channels", true, model.group_channels(), {1, 4});
  c.number("model.classes", true, model.classes(), {0, 1 << 24});
  c.number("model.null_label_probability", true, model.null_label_probability(), probability);
  if (model.null_label_probability() > 0 && model.classes() == 0)
    c.fail("model.null_label_probability", "withholds classes, but model.classes is 0; set both or neither");
  if (!model.scale_by_sigma() && kind != VE)
    c.fail("model.scale_by_sigma", "is false, which only sde.kind: VE can do: VP's network predicts the noise");
  c.number("model.fourier_features", true, model.fourier_features(), {0, 16});
  c.number("model.first_fourier_exponent", true, model.first_fourier_exponent(), {-8, 16});
  if (model.time_label() == LOG_SNR && kind == VE)
    c.fail("model.time_label",
           "is LOG_SNR, but with sde.kind: VE the network is told the noise's deviation; leave it out");
  if (model.adds_input() && (kind == VE || model.output_pyramid() == SKIP_PYRAMID))
    c.fail("model.adds_input",
           "is for a network that predicts the noise (VP, sub-VP), without output_pyramid: SKIP_PYRAMID");

  std::vector<int> sizes;
  for (int level = 0; level < model.channel_multipliers_size() && image_size > 0; ++level) {
    sizes.push_back(image_size);
    if (level + 1 < model.channel_multipliers_size() && (image_size % 2 != 0 || image_size < 4)) {
      c.fail("model.channel_multipliers",
             fmt::format("{} levels halve an image of {} pixels to an odd or too small size",
                         model.channel_multipliers_size(), sizes[0]));
      return;
    }
    image_size /= 2;
  }
  for (int size : model.attention_sizes()) {
    if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) {
      c.fail("model.attention_sizes",
             fmt::format("{} is no size of a level; they are {}", size, fmt::join(sizes, ", ")));
    }
  }
}

void check_optimizer(Checker& c, const Optimizer& optimizer, std::int64_t steps) {
  c.number("optimizer.learning_rate", true, optimizer.learning_rate(), positive);
  c.number("optimizer.beta1", true, optimizer.beta1(), probability);
  c.number("optimizer.beta2", true, optimizer.beta2(), probability);
  c.number("optimizer.epsilon", true, optimizer.epsilon(), positive);
  c.number("optimizer.warmup_steps", true, static_cast<double>(optimizer.warmup_steps()), at_least(0));
  c.number("optimizer.gradient_clip", true, optimizer.gradient_clip(), {0, infinity, false, true});
  c.number("optimizer.ema", true, optimizer.ema(), probability);
  if (optimizer.decay() == COSINE && optimizer.warmup_steps() >= steps) {
    c.fail("optimizer.warmup_steps",
           fmt::format("is {}; a cosine decay needs it below training.steps, {}", optimizer.warmup_steps(), steps));
  }
}

void check_training(Checker& c, const Training& training) {
  if (training.directory().empty()) c.fail("training.directory", "must be set: the folder of the run");
  if (training.has_init_from()) {
    const InitFrom& from = training.init_from();
    if (from.run().empty()) c.fail("training.init_from.run", "must be set: the folder of a run");
    c.number("training.init_from.step", true, static_cast<double>(from.step()), at_least(0));
  }
  c.number("training.steps", training.has_steps(), static_cast<double>(training.steps()), at_least(1));
  c.number("training.micro_batches", true, training.micro_batches(), {1, 1 << 20});
  c.number("training.micro_batch_images", training.has_micro_batch_images(), training.micro_batch_images(),
           {1, 1 << 20});
  c.number("training.threads", true, training.threads(), {1, 1024});
  c.number("training.bucket_kib", true, training.bucket_kib(), {64, 1 << 21});
  c.number("training.log_every", true, static_cast<double>(training.log_every()), at_least(1));
  c.number("training.checkpoint_every", true, static_cast<double>(training.checkpoint_every()), at_least(1));
  c.number("training.keep_checkpoints", true, training.keep_checkpoints(), at_least(1));
  c.number("training.evaluate_every", true, static_cast<double>(training.evaluate_every()), at_least(0));
  c.number("training.evaluate_images", true, static_cast<double>(training.evaluate_images()), at_least(1));
  c.number("training.keep_every", true, static_cast<double>(training.keep_every()), at_least(0));
  c.number("training.sample_every", true, static_cast<double>(training.sample_every()), at_least(0));
  c.number("training.sample_images", true, static_cast<double>(training.sample_images()), {1, 4096});
}

void check_evaluation(Checker& c, const Evaluation& evaluation) {
  c.number("evaluation.batch_images", true, evaluation.batch_images(), {1, 1 << 20});
  c.number("evaluation.bound_times", true, evaluation.bound_times(), {1, 1 << 20});
  c.number("evaluation.passes", true, evaluation.passes(), {1, 1 << 20});
  c.number("evaluation.ode_tolerance", true, evaluation.ode_tolerance(), {0, 1, false, false});
  c.number("evaluation.ode_max_evaluations", true, static_cast<double>(evaluation.ode_max_evaluations()), at_least(7));
}

void check_drawn_classes(Checker& c, const RunConfig& config) {
  const Sampling& sampling = config.sampling();
  const Model& model = config.model();
  for (const int label : sampling.classes()) {
    if (label < 0 || label >= model.classes())
      c.fail("sampling.classes",
             fmt::format("has {}, but model.classes is {}{}", label, model.classes(),
                         model.classes() > 0 ? fmt::format(": they are 0 to {}", model.classes() - 1) : ""));
  }
  if (config.training().sample_every() > 0 && model.classes() > 0 && model.null_label_probability() == 0 &&
      sampling.classes().empty())
    c.fail("training.sample_every", "draws images, but the network knows none without a class: name sampling.classes");
  c.number("sampling.guidance", true, sampling.guidance(), at_least(0));
  if (sampling.guidance() == 1) return;
  if (sampling.classes().empty())
    c.fail("sampling.guidance", fmt::format("is {}, but no sampling.classes are named", sampling.guidance()));
  if (model.null_label_probability() == 0)
    c.fail("sampling.guidance", fmt::format("is {}, which needs a network that was trained with "
                                            "model.null_label_probability",
                                            sampling.guidance()));
}

void check_sampling(Checker& c, const Sampling& sampling) {
  c.number("sampling.images", true, sampling.images(), {1, 1 << 24});
  c.number("sampling.steps", true, sampling.steps(), {1, 1 << 20});
  c.number("sampling.ode_tolerance", true, sampling.ode_tolerance(), {0, 1, false, false});
  c.number("sampling.ode_max_evaluations", true, static_cast<double>(sampling.ode_max_evaluations()), at_least(7));
  c.number("sampling.smallest_time", true, sampling.smallest_time(), {0, 0.5, false, false});
  c.number("sampling.ddim_eta", true, sampling.ddim_eta(), {0, 1});
  const std::string sampler = Sampler_Name(sampling.sampler());
  const auto& corrector = sampling.corrector();
  c.number("sampling.corrector.steps", true, corrector.steps(), {1, 1 << 20});
  c.number("sampling.corrector.snr", true, corrector.snr(), positive);
  // Draws of noise are numbered with 24 bits.
  if (const double draws = static_cast<double>(sampling.steps()) * (1 + corrector.steps());
      corrector.kind() != NO_CORRECTOR && draws >= 1 << 24) {
    c.fail("sampling.corrector.steps", fmt::format("are {}, with {} steps of the sampler: together more than 2^24",
                                                   corrector.steps(), sampling.steps()));
  }
  const auto& churn = sampling.churn();
  c.number("sampling.churn.amount", true, churn.amount(), at_least(0));
  c.number("sampling.churn.least_sigma", true, churn.least_sigma(), at_least(0));
  c.number("sampling.churn.largest_sigma", true, churn.largest_sigma(), {churn.least_sigma(), infinity});
  c.number("sampling.churn.noise", true, churn.noise(), positive);

  // What belongs to one sampler is refused with another, which would ignore it.
  const bool many_stage =
      sampling.sampler() == PROBABILITY_FLOW || sampling.sampler() == HEUN || sampling.sampler() == DPM_SOLVER_2M;
  if (many_stage && corrector.kind() != NO_CORRECTOR) {
    c.fail("sampling.corrector.kind",
           fmt::format("is {}, but {} has no place for a corrector; use EULER_MARUYAMA, ANCESTRAL, REVERSE_DIFFUSION, "
                       "DDIM or CORRECTOR_ONLY",
                       CorrectorKind_Name(corrector.kind()), sampler));
  }
  if (sampling.sampler() == CORRECTOR_ONLY && corrector.kind() == NO_CORRECTOR)
    c.fail("sampling.corrector.kind", "must be LANGEVIN or ANNEALED_LANGEVIN where the sampler is CORRECTOR_ONLY");
  if (sampling.sampler() == CORRECTOR_ONLY && sampling.finish() == NOISE_FREE)
    c.fail("sampling.finish", "is NOISE_FREE, but CORRECTOR_ONLY has no step that could be; use TWEEDIE");
  if (sampling.sampler() != DDIM && sampling.ddim_eta() != 0)
    c.fail("sampling.ddim_eta", fmt::format("is {}, but the sampler is {}", sampling.ddim_eta(), sampler));
  const Sampling unset = with_defaults(RunConfig()).sampling();
  using google::protobuf::util::MessageDifferencer;
  if (corrector.kind() == NO_CORRECTOR && !MessageDifferencer::Equals(corrector, unset.corrector()))
    c.fail("sampling.corrector.kind",
           "is NO_CORRECTOR, but its steps or snr are set; choose LANGEVIN or ANNEALED_LANGEVIN");
  if (sampling.sampler() != HEUN && !MessageDifferencer::Equals(churn, unset.churn()))
    c.fail("sampling.churn", fmt::format("is set, but only HEUN churns and the sampler is {}", sampler));
  if (sampling.sampler() == PROBABILITY_FLOW && sampling.grid() != OF_SAMPLER)
    c.fail("sampling.grid",
           fmt::format("is {}, but PROBABILITY_FLOW chooses its own steps", Grid_Name(sampling.grid())));
}

/// Every enum field must name a value: ..._UNSET and unknown numbers are none.
void check_enums(Checker& c, const google::protobuf::Message& message, const std::string& path) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const std::string name = path.empty() ? field->name() : path + "." + field->name();
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      if (message.GetReflection()->HasField(message, field))
        check_enums(c, message.GetReflection()->GetMessage(message, field), name);
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_ENUM) {
      const int number = message.GetReflection()->GetEnumValue(message, field);
      if (number != 0 && field->enum_type()->FindValueByNumber(number)) continue;
      std::vector<std::string> values;
      for (int v = 1; v < field->enum_type()->value_count(); ++v)
        values.push_back(field->enum_type()->value(v)->name());
      c.fail(name, fmt::format("must be one of {}", fmt::join(values, ", ")));
    }
  }
}

}  // namespace

void require_source(const Source& source, const std::string& field) {
  kernels::require(
      source.kind_case() != Source::KIND_NOT_SET,
      "{}: must be set: files, packed, gaussian_field, uniform_pixels or finite_set; for example --set 'data {{ "
      "training {{ files {{ path: \"photos\" }} }} }}'",
      field);
}

std::vector<Violation> violations(const RunConfig& config) {
  Checker c;
  c.number("seed", true, static_cast<double>(config.seed()), at_least(0));
  check_data(c, config.data());
  check_sde(c, config.sde());
  check_model(c, config.model(), config.sde().kind(), config.data().image_size());
  check_optimizer(c, config.optimizer(), config.training().steps());
  check_training(c, config.training());
  check_evaluation(c, config.evaluation());
  check_sampling(c, config.sampling());
  check_drawn_classes(c, config);
  check_enums(c, config, "");
  return c.found;
}

}  // namespace core::config
