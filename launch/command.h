// The flags of the subcommands: each adds its own to the parser and says what to do when it is chosen. Only what parses
// includes this: the parser takes as long to compile as all that the commands do.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "launch/session.h"
#include "launch/trained.h"

namespace launch {

void add_train(CLI::App& app, Action& chosen);
void add_evaluate(CLI::App& app, Action& chosen);
void add_sample(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_data(CLI::App& app, Action& chosen);
void add_checkpoint(CLI::App& app, Action& chosen);
void add_bench(CLI::App& app, Action& chosen);

void add_config_flags(CLI::App& command, ConfigFlags& flags);
void add_run_flags(CLI::App& command, RunFlags& flags);

/// --device cpu|cuda|auto and --tiles FILE.
void add_device_flags(CLI::App& command, DeviceFlags& flags);

/// --collectives auto|nccl|mpi and --share-gpus.
void add_collectives_flags(CLI::App& command, DeviceFlags& flags, std::string& collectives);

/// --trace FILE.
void add_trace_flag(CLI::App& command, std::string& file, const std::string& help);

/// A flag's value must be a whole number of at least `low`.
CLI::Validator at_least(std::int64_t low);

}  // namespace launch
