// scoremle sample: pictures drawn from a trained run.
#include <filesystem>
#include <iostream>

#include "core/picture/npz.h"
#include "core/picture/png.h"
#include "distributed/drawing.h"
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

void require_output(const fs::path& output, Form form) {
  if (form != Form::files) return require_writable(output);
  std::error_code error;
  fs::create_directories(output, error);
  kernels::require(!error, "{}: cannot be made a folder: {}", output.string(), error.message());
  kernels::require(!fs::exists(output / "000000.png"),
                   "{}: holds 000000.png already; images of two calls would mix: name another folder", output.string());
  require_writable(output / "000000.png");
}

void write(const fs::path& output, Form form, const distributed::Drawn& drawn, const core::config::RunConfig& config) {
  using namespace core::picture;
  const int side = config.data().image_size(), channels = config.data().channels();
  switch (form) {
    case Form::grid:
      return write_png(output, distributed::grid_of(drawn, config));
    case Form::array:
      return write_npz(output, drawn.pixels, {drawn.count, side, side, channels});
    case Form::files:
      const auto dims = static_cast<std::ptrdiff_t>(side) * side * channels;
      for (std::ptrdiff_t i = 0; i < drawn.count; ++i) {
        const auto first = drawn.pixels.begin() + i * dims;
        write_png(output / fmt::format("{:06}.png", i),
                  {.width = side, .height = side, .channels = channels, .pixels = {first, first + dims}});
      }
  }
}

int sample(const SampleFlags& flags, Session& session) {
  const core::config::RunConfig config = load_run(flags.run.directory, flags.run.overrides, session);
  const fs::path output = flags.output.empty() ? fs::path(flags.run.directory) / "samples.png" : fs::path(flags.output);
  const Form form = form_of(output, config.sampling().images());
  require_output(output, form);
  distributed::Communicator& communicator = session.communicator();
  const auto device = open_device(flags.run.device, config.training().threads(), communicator);
  say_if_slow("evaluation.activations", config.evaluation().activations(), *device, communicator);
  const auto& sampling = config.sampling();
  Trained trained(config, communicator, device, flags.run,
                  std::min(sampling.images(), config.evaluation().batch_images()));

  const bool leads = communicator.rank() == 0;
  const auto progress = progress_bar(sampling.sampler() == core::config::PROBABILITY_FLOW ? "images" : "image steps");
  const distributed::Drawn drawn =
      distributed::draw_images(config, communicator, trained.network(), sampling.images(), leads ? progress : nullptr);
  if (!leads) return 0;
  write(output, form, drawn, config);
  std::cout << fmt::format("{} images of step {}, {} evaluations an image: {}\n", drawn.count, trained.step(),
                           drawn.evaluations, output.string());
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
