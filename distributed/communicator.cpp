#include "distributed/communicator.h"

#include <cstdlib>
#include <numeric>

#include "kernels/check.h"

namespace distributed {
namespace {

// The number of processes the launcher says it started, 0 where it does not say. Read before MPI_Init, which sets
// OMPI_COMM_WORLD_SIZE itself; under mpirun SLURM_STEP_NUM_TASKS counts its daemons, so it comes last.
int launched_processes() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    if (const char* value = std::getenv(variable)) return std::atoi(value);
  }
  return 0;
}

bool launched() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (std::getenv(variable)) return true;
  }
  return launched_processes() > 1;
}

}  // namespace

std::string Communicator::name() const {
  return fmt::format("rank {} of {} on {}", rank(), size(), node());
}

void Communicator::set_patience(double) {}

void Communicator::waiting(double, const char*, Place) {}

void Communicator::broadcast(std::string& text, int root, Place place) {
  std::int64_t length = std::ssize(text);
  broadcast(std::span(&length, 1), root, place);
  text.resize(length);
  broadcast(std::span(text.data(), text.size()), root, place);
}

std::vector<std::int64_t> Communicator::all_gather(std::int64_t mine, Place place) {
  std::vector<std::int64_t> all(size());
  const std::vector<std::int64_t> counts(size(), 1);
  all_gather(std::span<const std::int64_t>(&mine, 1), std::span(all), counts, place);
  return all;
}

std::vector<std::string> Communicator::all_gather(const std::string& mine, Place place) {
  const std::vector<std::int64_t> lengths = all_gather(std::ssize(mine), place);
  std::string joined(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}), '\0');
  all_gather(std::span<const char>(mine), std::span(joined.data(), joined.size()), lengths, place);
  std::vector<std::string> all;
  std::size_t begin = 0;
  for (const std::int64_t length : lengths) {
    all.push_back(joined.substr(begin, length));
    begin += length;
  }
  return all;
}

std::unique_ptr<Communicator> make_communicator() {
  if (!launched()) return make_solo_communicator();
  const int expected = launched_processes();
  auto communicator = make_mpi_communicator();
  kernels::require(expected == 0 || communicator->size() == expected,
                   "The launcher started {} processes but MPI connects {}: start them with mpirun, or with srun "
                   "--mpi=pmix",
                   expected, communicator->size());
  return communicator;
}

}  // namespace distributed
