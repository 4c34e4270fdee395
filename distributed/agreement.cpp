#include "distributed/agreement.h"

#include <fmt/format.h>

#include <algorithm>

namespace distributed {

std::optional<Failure> first_failure(Communicator& communicator, const std::optional<Failure>& mine) {
  const std::vector<std::int64_t> codes = communicator.all_gather(mine ? mine->code : 0);
  const auto failed = std::ranges::find_if(codes, [](std::int64_t code) { return code != 0; });
  if (failed == codes.end()) return {};
  Failure failure{static_cast<int>(*failed), mine ? fmt::format("{}: {}", communicator.name(), mine->text) : ""};
  communicator.broadcast(failure.text, static_cast<int>(failed - codes.begin()));
  return failure;
}

void refuse_any(Communicator& communicator, const std::string& mine) {
  const std::vector<std::string> all = communicator.all_gather(mine);
  const auto wrong = std::ranges::find_if(all, [](const std::string& text) { return !text.empty(); });
  if (wrong == all.end()) return;
  const bool alike = std::ranges::count(all, *wrong) == std::ssize(all);
  throw kernels::InputError(alike ? *wrong : fmt::format("rank {}: {}", wrong - all.begin(), *wrong));
}

}  // namespace distributed
