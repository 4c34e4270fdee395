// What training takes of a device's memory, known before any of it is taken.
#pragma once

#include <cstdint>
#include <memory>

#include "core/config/run.pb.h"
#include "core/data/dataset.h"
#include "distributed/communicator.h"
#include "distributed/parameters.h"
#include "kernels/device.h"

namespace distributed {

/// How many images a device of its own memory keeps: all of the data set where they fit beside what training needs,
/// else none; none on the CPU, where they are. `assessed`: whether weights are assessed on the way. Throws InputError
/// on every rank where not even the rest fits. Collective.
std::int64_t resident_images(const core::config::RunConfig& config, Communicator& communicator,
                             kernels::Collectives& collectives, const std::shared_ptr<kernels::Device>& device,
                             const Parameters& parameters, bool assessed, const core::data::Dataset& dataset);

}  // namespace distributed
