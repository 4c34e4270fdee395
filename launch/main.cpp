// The scoremle binary: parses the command line, runs the chosen command, turns errors into one line and an exit status.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <span>
#include <thread>

#include "core/storage/file_io.h"
#include "kernels/check.h"
#include "launch/command.h"

namespace launch {
namespace {

constexpr int wrong_input = 2;

/// The rank that mpirun or srun gave this process; 0 where none did.
int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  return 0;
}

/// Says what went wrong and ends every rank. What is wrong for all is said by rank 0, which ends the others before they
/// speak; what is wrong for one is said by that one.
int fail(Session& session, const std::string& text, int status) {
  const int rank = launched_rank();
  distributed::Communicator* communicator = session.joined();
  const bool others = communicator && communicator->size() > 1;
  if (rank > 0 && !others) return status;  // before the ranks were joined all fail alike
  if (rank > 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  fmt::print(stderr, "scoremle: {}{}\n", rank > 0 ? fmt::format("rank {}: ", rank) : "", text);
  std::fflush(stderr);
  if (others) communicator->abort(status);
  return status;
}

/// The parser's complaint as one line that says where to read on.
std::string usage_line(const CLI::App& app, const CLI::ParseError& error, std::span<char* const> words) {
  const CLI::App* command = &app;  // the one that the words lead to
  std::string path;
  std::size_t at = 1;
  for (auto chosen = app.get_subcommands(); !chosen.empty(); chosen = command->get_subcommands(), ++at) {
    command = chosen[0];
    path += command->get_name() + " ";
  }
  const auto commands = command->get_subcommands([](const CLI::App*) { return true; });
  if (!commands.empty() && at < words.size() && words[at][0] != '-') {
    std::string names;
    for (const CLI::App* known : commands) names += " " + known->get_name();
    return fmt::format("{}{}: is no command; commands are:{}", path, words[at], names);
  }
  std::string line = error.what();
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return fmt::format("{} (see scoremle {}--help)", line, path);
}

int run(Session& session, int argc, char** argv) {
  CLI::App app("Trains score-based diffusion models by maximum likelihood and evaluates them in bits per dimension.",
               "scoremle");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "The help of every command");
  Action chosen;
  add_train(app, chosen);
  add_evaluate(app, chosen);
  add_sample(app, chosen);
  add_report(app, chosen);
  add_data(app, chosen);
  add_checkpoint(app, chosen);
  add_bench(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return launched_rank() == 0 ? app.exit(help) : 0;
  } catch (const CLI::ParseError& error) {
    return fail(session, usage_line(app, error, {argv, static_cast<std::size_t>(argc)}), wrong_input);
  }
  return chosen(session);
}

}  // namespace
}  // namespace launch

int main(int argc, char** argv) {
  launch::Session session(argv[0]);
  try {
    const int status = launch::run(session, argc, argv);
    if (session.joined()) session.joined()->finish();
    return status;
  } catch (const kernels::InputError& error) {
    return launch::fail(session, error.what(), launch::wrong_input);
  } catch (const kernels::RunError& error) {
    return launch::fail(session, error.what(), error.status);
  } catch (const std::filesystem::filesystem_error& error) {
    return launch::fail(session, fmt::format("{}: {}", error.path1().string(), error.code().message()),
                        launch::wrong_input);
  } catch (const core::storage::FileError& error) {
    return launch::fail(session, error.what(), launch::wrong_input);
  } catch (const std::bad_alloc&) {
    return launch::fail(session,
                        "out of memory: use smaller training.micro_batch_images or evaluation.batch_images, or "
                        "training.recompute: BLOCKS",
                        1);
  } catch (const std::exception& error) {
    return launch::fail(session, error.what(), 1);
  }
}
