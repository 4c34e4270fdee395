// scoremle data: looking at images before training on them, and packing them.
#include <iostream>

#include "core/config/load.h"
#include "core/data/inspect.h"
#include "core/data/pack.h"
#include "core/picture/png.h"
#include "distributed/metrics.h"
#include "launch/command.h"
#include "launch/trained.h"

namespace launch {
namespace {

struct DataFlags {
  std::string config;
  std::vector<std::string> overrides, files;
  int size = 0, channels = 3;
  std::string set = "training", output;
  std::int64_t shard_mib = 256;
};

/// Fields of a data set given without a config: a packed one knows its own.
void set_data(const DataFlags& flags, core::config::Data& data) {
  data.set_image_size(flags.size);
  data.set_channels(flags.channels);
  if (flags.files.size() == 1 && core::data::is_packed(flags.files[0])) {
    const core::data::ImageShape shape = shape_of(core::data::read_index(flags.files[0]));
    kernels::require(flags.size == 0 || flags.size == shape.height, "--size: is {}, but {} was packed at {}",
                     flags.size, flags.files[0], shape.height);
    data.set_image_size(shape.height);
    data.set_channels(shape.channels);
    data.mutable_training()->mutable_packed()->set_path(flags.files[0]);
    return;
  }
  kernels::require(!flags.files.empty() && flags.size > 0, "data: give --config, or --files and --size");
  for (const std::string& file : flags.files) data.mutable_training()->mutable_files()->add_path(file);
}

/// The config, and in it the source that the flags choose.
std::pair<core::config::RunConfig, core::config::Source> source_of(const DataFlags& flags, const Session& session) {
  core::config::RunConfig config;
  if (flags.config.empty()) {
    set_data(flags, *config.mutable_data());
    config = core::config::with_defaults(config);
  } else {
    config = load({flags.config, flags.overrides}, session);
  }
  const bool training = flags.set == "training";
  const auto source = training ? config.data().training() : config.data().heldout();
  core::config::require_source(source, training ? "data.training" : "data.heldout");
  return {config, source};
}

int inspect(const DataFlags& flags, Session& session) {
  const auto [config, source] = source_of(flags, session);
  kernels::require(std::filesystem::path(flags.output).extension() == ".png", "--output: {} must end in .png",
                   flags.output);
  require_writable(flags.output);
  const auto dataset = core::data::open(config, source);
  std::cout << core::data::inspect(dataset);
  core::picture::write_png(flags.output, core::data::contact_sheet(dataset, 64));
  std::cout << "contact sheet: " << flags.output << '\n';
  return 0;
}

int pack(const DataFlags& flags, Session& session) {
  require_one_process(session, "data pack");
  auto [config, source] = source_of(flags, session);
  kernels::require(source.has_files(),
                   "data pack: only images in files can be packed; give --files, or a config with them");
  const distributed::Timer timer;
  core::data::pack(config.data(), source.files(), flags.output, flags.shard_mib << 20, progress_bar("pack"));
  const double seconds = timer.seconds();
  source.mutable_packed()->set_path(flags.output);
  const auto dataset = core::data::open(config, source);
  fmt::print("{}\npacked to {} in {:.2f} s, {:.0f} images/s; train on it with packed {{ path: \"{}\" }}\n",
             dataset.describe(), flags.output, seconds, static_cast<double>(dataset.size()) / seconds, flags.output);
  return 0;
}

/// The flags that say which images.
std::shared_ptr<DataFlags> add_data_flags(CLI::App& command) {
  auto flags = std::make_shared<DataFlags>();
  CLI::Option* config = command.add_option("--config", flags->config, "A config file or preset that names the images")
                            ->type_name("FILE|PRESET");
  command.add_option("--set", flags->overrides, "Overrides of the config")
      ->type_name("TEXT")
      ->take_all()
      ->needs(config);
  CLI::Option* files =
      command.add_option("--files", flags->files, "Folders or files of images instead, or one packed set")
          ->type_name("PATH")
          ->excludes(config);
  command.add_option("--size", flags->size, "With --files: image size in pixels")
      ->check(CLI::Range(4, 4096))
      ->needs(files);
  command.add_option("--channels", flags->channels, "With --files: 1 (grey) or 3 (colour)")
      ->check(CLI::IsMember({1, 3}))
      ->needs(files)
      ->capture_default_str();
  command.add_option("--on", flags->set, "With --config: training or heldout images")
      ->check(CLI::IsMember({"training", "heldout"}))
      ->needs(config)
      ->capture_default_str();
  return flags;
}

}  // namespace

void add_data(CLI::App& app, Action& chosen) {
  CLI::App* data = app.add_subcommand("data", "Look at images before training on them, and pack them");
  data->require_subcommand(1);
  CLI::App* inspecting =
      data->add_subcommand("inspect", "Count, shape, statistics, fingerprint and a contact sheet of a data set");
  const auto inspected = add_data_flags(*inspecting);
  inspected->output = "contact_sheet.png";
  inspecting->add_option("--output", inspected->output, "The contact sheet's PNG file")->capture_default_str();
  inspecting->callback(
      [inspected, &chosen] { chosen = [inspected](Session& session) { return inspect(*inspected, session); }; });

  CLI::App* packing = data->add_subcommand(
      "pack", "Decode images once into a folder of memory-mapped shards with checksums: packed { path: ... }");
  const auto packed = add_data_flags(*packing);
  packing->add_option("--output", packed->output, "The folder to make")->required()->type_name("DIR");
  packing->add_option("--shard-mib", packed->shard_mib, "Size of a shard, MiB")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  packing->callback([packed, &chosen] { chosen = [packed](Session& session) { return pack(*packed, session); }; });
}

}  // namespace launch
