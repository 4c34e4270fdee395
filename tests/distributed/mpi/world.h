// The ranks that the tests of this program run on.
#pragma once

#include <fmt/format.h>

#include "distributed/communicator.h"

namespace distributed::testing {

Communicator& world();

}  // namespace distributed::testing
