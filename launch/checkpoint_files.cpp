// scoremle checkpoint export | import: weights to and from safetensors files.
#include "launch/checkpoint_files.h"

#include <iostream>

#include "core/config/load.h"
#include "core/model/weights_file.h"
#include "core/storage/file_io.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"

namespace launch {
namespace {

using core::config::RunConfig;
using core::model::Names;

/// Keys of the metadata that are ours; those beside them are the reference's.
constexpr const char *config_key = "scoremle.config", *step_key = "scoremle.step", *weights_key = "scoremle.weights";

/// The config of the run that is made: of --config, or else of the file.
RunConfig config_of(const ImportFlags& flags, const core::model::Metadata& metadata, const Session& session) {
  const auto own = metadata.find(config_key);
  kernels::require(!flags.config.empty() || own != metadata.end(),
                   "{}: holds weights, but no config of scoremle: name the one of their network with --config",
                   flags.file);
  std::vector<std::string> overrides = flags.overrides;
  RunConfig directory;
  directory.mutable_training()->set_directory(flags.run);
  overrides.push_back(core::config::text(directory));
  return flags.config.empty() ? core::config::valid_text(own->second, flags.file + ": its config", overrides)
                              : load({flags.config, overrides}, session);
}

core::model::UNetSpec spec_of(const std::string& file, const core::model::Metadata& metadata) {
  try {
    return core::model::reference_spec(metadata);
  } catch (const kernels::InputError& error) {
    throw kernels::InputError(fmt::format("{}: {}", file, error.what()));
  }
}

/// Names and shapes do not tell all about a network: what the metadata says besides must be the config's, too.
void require_same_network(const std::string& file, const core::model::Metadata& metadata, const RunConfig& config) {
  if (!metadata.contains("model")) return;
  core::model::Metadata ours = core::model::reference_metadata(core::model::unet_spec(config)),
                        theirs = core::model::reference_metadata(spec_of(file, metadata));
  if (const auto sde = metadata.find("sde"); sde != metadata.end()) {
    ours["sde"] = core::model::reference_name(config.sde().kind());
    theirs["sde"] = sde->second;
  }
  std::string differences;
  for (const auto& [name, value] : theirs) {
    if (ours[name] != value) differences += fmt::format("; {} is {}, the config's {}", name, value, ours[name]);
  }
  kernels::require(differences.empty(), "{}: is of another network{}: change the config with --set", file, differences);
}

/// Imported weights come without images: those of the run that goes on with them are the first.
RunConfig without_images(RunConfig config) {
  config.mutable_data()->clear_training();
  return config;
}

}  // namespace

int export_weights(const ExportFlags& flags, Session& session) {
  const RunConfig config = load_run(flags.run, {}, session);
  require_writable(flags.file);
  const core::model::UNetSpec spec = core::model::unet_spec(config);
  const core::model::NetworkParameters network(spec);
  const distributed::Layout layout = distributed::layout_of(network.ours);
  const distributed::Floats flat(layout.total);
  distributed::Communicator& communicator = session.communicator();
  const auto loaded =
      distributed::load_section(communicator, flags.run, flags.step >= 0 ? std::optional(flags.step) : std::nullopt,
                                layout, flags.weights == "averaged" ? "ema" : "weights", flat.span());
  if (communicator.rank() != 0) return 0;

  const Names names = flags.names == "ours" ? Names::ours : Names::reference;
  core::model::SafeTensors content{.metadata = {},
                                   .tensors = core::model::to_tensors(network, names, [&](std::size_t i) {
                                     return layout.tensors[i].range().of(flat.span());
                                   })};
  if (names == Names::reference) {
    content.metadata = core::model::reference_metadata(spec);
    content.metadata["sde"] = core::model::reference_name(config.sde().kind());
  }
  content.metadata["layout"] = names == Names::reference ? "NCHW" : "NHWC";
  content.metadata[config_key] = core::config::text(config);
  content.metadata[step_key] = std::to_string(loaded.step);
  content.metadata[weights_key] = flags.weights;
  core::model::write_safetensors(flags.file, content);
  std::cout << fmt::format("{} weights of {}, {}: {} tensors: {}\n", flags.weights, flags.run, loaded.checkpoint,
                           content.tensors.size(), flags.file);
  return 0;
}

int import_weights(const ImportFlags& flags, Session& session) {
  require_one_process(session, "checkpoint import");
  const core::model::SafeTensors file = core::model::read_safetensors(flags.file);
  const RunConfig config = config_of(flags, file.metadata, session);
  require_same_network(flags.file, file.metadata, config);
  const core::model::NetworkParameters network(core::model::unet_spec(config));
  const distributed::Parameters state(distributed::layout_of(network.ours), distributed::Sharding::none, 0, 1);
  core::model::from_tensors(file, flags.file, network,
                            [&](std::size_t i) { return state.layout().tensors[i].range().of(state.weights()); });
  std::ranges::copy(state.weights(), state.ema().begin());

  distributed::Communicator& communicator = session.communicator();
  distributed::require_no_run(communicator, flags.run);
  distributed::CheckpointStore store(communicator, flags.run,
                                     {.layout = state.layout(),
                                      .config = core::config::text(config),
                                      .fixed_config = core::config::fixed_text(without_images(config))},
                                     config.training().keep_checkpoints());
  const auto saved = store.save(0, distributed::shard_sections(state), {});
  if (saved.outcome == distributed::SaveOutcome::failed) throw kernels::RunError(saved.text, 1);
  core::storage::replace_file(std::filesystem::path(flags.run) / "config.textproto", core::config::text(config));
  std::cout << fmt::format("{} parameters from {} as step 0 of the run {}\n", network.ours.size(), flags.file,
                           flags.run);
  return 0;
}

}  // namespace launch
