// scoremle sample: pictures drawn from a trained run.
#include <cmath>
#include <filesystem>
#include <iostream>
#include <numeric>

#include "core/picture/npz.h"
#include "core/picture/png.h"
#include "core/sampling/settings.h"
#include "core/sde/sde.h"
#include "launch/command.h"
#include "launch/trained.h"

namespace launch {
namespace {

namespace fs = std::filesystem;

struct SampleFlags {
  RunFlags run;
  std::string output;
};

/// What is written: all images in one grid, each in a file of its own, or an array.
enum class Form { grid, files, array };

Form form_of(const fs::path& output, std::int64_t images) {
  constexpr std::int64_t most_of_a_grid = 4096;
  if (!output.has_filename() || fs::is_directory(output)) return Form::files;
  if (output.extension() == ".npz") return Form::array;
  kernels::require(output.extension() == ".png",
                   "--output: {} must end in .png (a grid), .npz (an array for NumPy) or / (a folder of single files)",
                   output.string());
  kernels::require(images <= most_of_a_grid,
                   "--output: {} would be a grid of {} images, at most {} can be looked at; write a .npz or a folder "
                   "(ending in /)",
                   output.string(), images, most_of_a_grid);
  return Form::grid;
}

void require_writable(const fs::path& output, Form form) {
  if (form != Form::files) return launch::require_writable(output);
  std::error_code error;
  fs::create_directories(output, error);
  kernels::require(!error, "{}: cannot be made a folder: {}", output.string(), error.message());
  launch::require_writable(output / "000000.png");
}

void write(const fs::path& output, Form form, std::span<const std::uint8_t> images, int side, int channels) {
  using namespace core::picture;
  const auto dims = static_cast<std::size_t>(side) * side * channels, count = images.size() / dims;
  switch (form) {
    case Form::grid:
      return write_png(
          output, grid(images, side, side, channels, static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count)))),
                       comfortable_scale(side)));
    case Form::array:
      return write_npz(output, images, {static_cast<std::int64_t>(count), side, side, channels});
    case Form::files:
      for (std::size_t i = 0; i < count; ++i) {
        const auto pixels = images.subspan(i * dims, dims);
        write_png(output / fmt::format("{:06}.png", i),
                  {.width = side, .height = side, .channels = channels, .pixels = {pixels.begin(), pixels.end()}});
      }
  }
}

int sample(const SampleFlags& flags, Session& session) {
  const core::config::RunConfig config = load_run(flags.run.directory, flags.run.overrides, session);
  const fs::path output = flags.output.empty() ? fs::path(flags.run.directory) / "samples.png" : fs::path(flags.output);
  const Form form = form_of(output, config.sampling().images());
  require_writable(output, form);
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
    const auto pixels = core::sampling::to_pixels(x, core::sde::pixel_range(config));
    bytes.append(pixels.begin(), pixels.end());
  }
  std::vector<std::uint8_t> all;
  for (const std::string& part : communicator.all_gather(bytes)) all.insert(all.end(), part.begin(), part.end());
  if (rank != 0) return 0;
  write(output, form, all, config.data().image_size(), config.data().channels());
  std::cout << fmt::format("{} images of step {}, {} evaluations an image: {}\n", count, trained.step(),
                           evaluations / count, output.string());
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("sample", "Draw images from a trained run");
  auto flags = std::make_shared<SampleFlags>();
  add_run_flags(*command, flags->run);
  command->add_option(
      "--output", flags->output,
      "NAME.png for a grid, NAME.npz for an array, NAME/ for single files (default: samples.png in the run's "
      "folder)");
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return sample(*flags, session); }; });
}

}  // namespace launch
