// What a reducer must do on any communicator: run with threads as ranks, and again under MPI.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "distributed/reducer.h"
#include "distributed/squared_norm.h"
#include "tests/distributed/pseudo_gradients.h"

namespace distributed::testing {

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// Two steps of the deterministic mode against the tree summed element by element.
inline void expect_tree_sum(Communicator& communicator, const Layout& layout, int micro_batches, Sharding sharding) {
  Parameters parameters(layout, sharding, communicator.rank(), communicator.size());
  Reducer reducer(communicator, parameters, Reduction::deterministic, micro_batches, 1024);
  for (int step = 0; step < 2; ++step) {
    for (int m = reducer.micro_batches().begin; m < reducer.micro_batches().end; ++m) {
      write_gradient(layout, m, parameters.gradient(), step);
      reducer.add(m, std::vector<double>{pseudo_gradient(m, -1), 1.0});
    }
    const std::vector<double> numbers = reducer.finish();
    const std::vector<float> expected = summed_in_tree(layout, micro_batches, step);
    const Range range = parameters.range();
    EXPECT_TRUE(same_bits(range.of(parameters.gradient()), range.of(std::span<const float>(expected))))
        << "V=" << micro_batches << " P=" << communicator.size() << " step=" << step << " total=" << layout.total;
    const double loss = tree_sum_oracle(0, micro_batches, [](int m) { return double{pseudo_gradient(m, -1)}; });
    EXPECT_EQ(numbers, (std::vector<double>{loss, static_cast<double>(micro_batches)}));
  }
}

/// The fast mode within the rounding of float sums: |error| <= V 2^-24 sum |g|.
inline void expect_bucket_sum(Communicator& communicator, const Layout& layout, int micro_batches, Sharding sharding) {
  Parameters parameters(layout, sharding, communicator.rank(), communicator.size());
  Reducer reducer(communicator, parameters, Reduction::fast, micro_batches, 2000);
  const std::vector<double> expected = summed_exactly(layout, micro_batches);
  for (int step = 0; step < 2; ++step) {
    for (int m = reducer.micro_batches().begin; m < reducer.micro_batches().end; ++m) {
      for (int bucket = 0; bucket < std::ssize(reducer.buckets()); ++bucket) {
        const Bucket& ready = reducer.buckets()[bucket];
        for (int t = ready.first_tensor; t <= ready.last_tensor; ++t) {
          const Range range = layout.tensors[t].range();
          for (std::int64_t i = range.begin; i < range.end; ++i) parameters.gradient()[i] = pseudo_gradient(m, i);
        }
        if (bucket % 3 != 2) reducer.bucket_ready(bucket);  // finish() sees to the others
        reducer.progress();
      }
      reducer.add(m);
    }
    reducer.finish();
    for (std::int64_t i = parameters.range().begin; i < parameters.range().end; ++i) {
      double magnitude = 0;
      for (int m = 0; m < micro_batches; ++m) magnitude += std::abs(pseudo_gradient(m, i));
      ASSERT_NEAR(parameters.gradient()[i], expected[i], micro_batches * 0x1p-24 * magnitude) << "element " << i;
    }
  }
}

/// Blocks of 64, chunks of 64 Ki, in order: the documented sum, element by element.
inline double squared_norm_oracle(std::span<const float> flat) {
  double total = 0;
  for (std::size_t chunk = 0; chunk < flat.size(); chunk += 65536) {
    double chunk_sum = 0;
    for (std::size_t block = chunk; block < std::min(chunk + 65536, flat.size()); block += 64) {
      double lane[8] = {};
      for (std::size_t i = 0; i < 64; ++i) lane[i % 8] += double{flat[block + i]} * flat[block + i];
      chunk_sum += ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
    }
    total += chunk_sum;
  }
  return total;
}

/// Only this rank's shard is filled: the rest must not be read.
inline void expect_squared_norm(Communicator& communicator, std::int64_t total) {
  std::vector<float> flat(total), mine(total, NAN);
  for (std::int64_t i = 0; i < total; ++i) flat[i] = pseudo_gradient(3, i);
  const Range own = shard_range(total, communicator.rank(), communicator.size());
  std::ranges::copy(own.of(std::span(flat)), own.of(std::span(mine)).begin());
  EXPECT_EQ(squared_norm(communicator, mine), squared_norm_oracle(flat)) << total << " P=" << communicator.size();
}

}  // namespace distributed::testing
