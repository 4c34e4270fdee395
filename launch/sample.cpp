// scoremle sample: pictures drawn from a trained run.
#include <iostream>
#include <numeric>

#include "core/picture/png.h"
#include "core/sampling/settings.h"
#include "launch/command.h"
#include "launch/trained.h"

namespace launch {
namespace {

struct SampleFlags {
  RunFlags run;
  std::string output;
};

int sample(const SampleFlags& flags, Session& session) {
  const core::config::RunConfig config = load_run(flags.run.directory, flags.run.overrides, session);
  const std::filesystem::path output = flags.output.empty() ? std::filesystem::path(flags.run.directory) / "samples.png"
                                                            : std::filesystem::path(flags.output);
  require_writable(output);
  distributed::Communicator& communicator = session.communicator();
  const auto& sampling = config.sampling();
  Trained trained(config, communicator, flags.run, std::min(sampling.images(), config.evaluation().batch_images()));

  // This rank's images; the picture does not depend on the number of ranks.
  const std::int64_t count = sampling.images(), rank = communicator.rank(), size = communicator.size();
  std::vector<std::int64_t> own(static_cast<std::size_t>(count * (rank + 1) / size - count * rank / size));
  std::iota(own.begin(), own.end(), count * rank / size);
  core::sampling::Settings settings = core::sampling::settings_of(config);
  if (rank == 0)
    settings.progress = progress_bar(sampling.sampler() == core::config::PROBABILITY_FLOW ? "images" : "image steps");
  const core::sampling::Samples samples = core::sampling::draw(trained.network().score(), own, settings);
  std::int64_t evaluations = samples.evaluations;
  communicator.all_reduce(std::span(&evaluations, 1), distributed::Combine::sum);
  std::string bytes;
  for (const auto& x : samples.x) {
    const auto pixels = core::sampling::to_pixels(x);
    bytes.append(pixels.begin(), pixels.end());
  }
  std::vector<std::uint8_t> all;
  for (const std::string& part : communicator.all_gather(bytes)) all.insert(all.end(), part.begin(), part.end());
  if (rank != 0) return 0;
  const int side = config.data().image_size(),
            columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count))));
  core::picture::write_png(output, core::picture::grid(all, side, side, config.data().channels(), columns,
                                                       core::picture::comfortable_scale(side)));
  std::cout << fmt::format("{} images of step {}, {} evaluations an image: {}\n", count, trained.step(),
                           evaluations / count, output.string());
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("sample", "Draw images from a trained run into a PNG grid");
  auto flags = std::make_shared<SampleFlags>();
  add_run_flags(*command, flags->run);
  command->add_option("--output", flags->output, "The PNG file (default: samples.png in the run's folder)");
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return sample(*flags, session); }; });
}

}  // namespace launch
