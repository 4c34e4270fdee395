// scoremle data: looking at images before training on them.
#include <iostream>

#include "core/config/load.h"
#include "core/data/inspect.h"
#include "core/picture/png.h"
#include "launch/command.h"

namespace launch {
namespace {

struct InspectFlags {
  std::string config;
  std::vector<std::string> overrides, files;
  int size = 0, channels = 3;
  std::string set = "training", output = "contact_sheet.png";
};

core::config::RunConfig config_of(const InspectFlags& flags, const Session& session) {
  if (!flags.config.empty()) return load({flags.config, flags.overrides}, session);
  kernels::require(!flags.files.empty() && flags.size > 0, "data inspect: give --config, or --files and --size");
  core::config::RunConfig config;
  for (const std::string& file : flags.files)
    config.mutable_data()->mutable_training()->mutable_files()->add_path(file);
  config.mutable_data()->set_image_size(flags.size);
  config.mutable_data()->set_channels(flags.channels);
  return core::config::with_defaults(config);
}

int inspect(const InspectFlags& flags, Session& session) {
  const core::config::RunConfig config = config_of(flags, session);
  require_writable(flags.output);
  const bool training = flags.set == "training";
  const auto& source = training ? config.data().training() : config.data().heldout();
  core::config::require_source(source, training ? "data.training" : "data.heldout");
  const auto dataset = core::data::open(config, source);
  std::cout << core::data::inspect(dataset);
  core::picture::write_png(flags.output, core::data::contact_sheet(dataset, 64));
  std::cout << "contact sheet: " << flags.output << '\n';
  return 0;
}

}  // namespace

void add_data(CLI::App& app, Action& chosen) {
  CLI::App* data = app.add_subcommand("data", "Look at images before training on them");
  data->require_subcommand(1);
  CLI::App* command =
      data->add_subcommand("inspect", "Count, shape, statistics, fingerprint and a contact sheet of a data set");
  auto flags = std::make_shared<InspectFlags>();
  CLI::Option* config = command->add_option("--config", flags->config, "A config file or preset whose data to inspect")
                            ->type_name("FILE|PRESET");
  command->add_option("--set", flags->overrides, "Overrides of the config")
      ->type_name("TEXT")
      ->take_all()
      ->needs(config);
  CLI::Option* files =
      command->add_option("--files", flags->files, "Folders, tars or CIFAR-10 files to inspect instead")
          ->type_name("PATH")
          ->excludes(config);
  command->add_option("--size", flags->size, "With --files: image size in pixels")->check(at_least(4))->needs(files);
  command->add_option("--channels", flags->channels, "With --files: 1 (grey) or 3 (colour)")
      ->check(CLI::IsMember({1, 3}))
      ->needs(files)
      ->capture_default_str();
  command->add_option("--on", flags->set, "With --config: training or heldout images")
      ->check(CLI::IsMember({"training", "heldout"}))
      ->needs(config)
      ->capture_default_str();
  command->add_option("--output", flags->output, "The contact sheet's PNG file")->capture_default_str();
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return inspect(*flags, session); }; });
}

}  // namespace launch
