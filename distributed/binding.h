// Between programs and the flat space: where their parameters lie, and letting them read and write there.
#pragma once

#include <functional>
#include <span>

#include "core/objective/score_network.h"
#include "core/objective/training_program.h"
#include "core/program/executor.h"
#include "distributed/mirrored.h"
#include "distributed/reducer.h"

namespace distributed {

/// The flat layout of a network's parameters.
Layout layout_of(std::span<const core::program::Parameter> parameters);

/// Lets the network read its weights from the flat space in its device's memory, which must outlive it.
void bind_flat(core::objective::ScoreNetwork& network, const Layout& layout, std::span<float> weights);

/// Lets the executor of a training program read its weights from the flat space, which must outlive it, and write their
/// gradients there.
void bind_flat(core::program::Executor& executor, const core::objective::TrainingProgram& training,
               const Layout& layout, const MirroredParameters& parameters);

/// Lets a training program exchange its gradients, where the collectives can be called in the midst of it: inserts the
/// records, and gives what they do. What they make wait for other ranks is told to `waited`, in seconds of the host. To
/// be called before the program gets its executor; the reducer must outlive that.
kernels::OnExchange exchange_within(core::objective::TrainingProgram& training, Reducer& reducer,
                                    std::function<void(double seconds)> waited);

}  // namespace distributed
