// One function for each kind of sampler; draw() chooses among them.
#pragma once

#include "core/sampling/sample.h"

namespace core::sampling {

Samples run(const PredictorCorrector& sampler, const Score& score, std::span<const std::int64_t> indices,
            const Settings& settings);
Samples run(const ProbabilityFlow& sampler, const Score& score, std::span<const std::int64_t> indices,
            const Settings& settings);
Samples run(const Heun& sampler, const Score& score, std::span<const std::int64_t> indices, const Settings& settings);
Samples run(const DpmSolver2M& sampler, const Score& score, std::span<const std::int64_t> indices,
            const Settings& settings);

}  // namespace core::sampling
