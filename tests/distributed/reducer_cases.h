// What a reducer must do on any communicator: run with threads as ranks, and again under MPI.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "distributed/collectives.h"
#include "distributed/reducer.h"
#include "tests/distributed/pseudo_gradients.h"

namespace distributed::testing {

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
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

/// How the ranks of a test compute and exchange; a device in the host's memory or in its own.
struct Ranks {
  Communicator& communicator;
  std::shared_ptr<kernels::Device> device;
  std::unique_ptr<kernels::Collectives> collectives;
};
using MakeRanks = std::function<Ranks(Communicator&)>;
inline Ranks on_cpu(Communicator& communicator) {
  auto device = kernels::make_cpu_device(1);
  auto collectives = make_host_collectives(communicator, device);
  return {communicator, std::move(device), std::move(collectives)};
}

/// A reducer on parameters of its own.
struct ReducerOnRanks {
  ReducerOnRanks(Ranks& ranks, const Layout& layout, Sharding sharding, Reduction reduction, int micro_batches,
                 std::int64_t bucket_elements)
      : parameters(layout, sharding, ranks.communicator.rank(), ranks.communicator.size()),
        gradient(ranks.device, parameters.gradient(), "gradients"),
        reducer(ranks.communicator, *ranks.collectives, ranks.device, parameters, gradient, reduction, micro_batches,
                bucket_elements) {}

  /// One step on pseudo-gradients: the last micro-batch's exchange begins with the buckets that are announced.
  Reducer::Sums step(int number, bool announced) {
    const MicroBatches own = reducer.micro_batches();
    for (int m = own.begin; m < own.end; ++m) {
      write_gradient(parameters.layout(), m, parameters.gradient(), number);
      gradient.to_device();
      const bool is_last = m + 1 == own.end;
      if (is_last && announced) {
        for (int bucket = 0; bucket < std::ssize(reducer.buckets()); ++bucket) {
          reducer.start(bucket);
          reducer.collectives().progress();
        }
        reducer.complete();
      }
      reducer.add(m, std::vector<double>{pseudo_gradient(m, -1), 1.0});
      if (is_last && !announced) reducer.exchange();
    }
    Reducer::Sums sums = reducer.finish();
    gradient.to_host();
    return sums;
  }

  Parameters parameters;
  Mirrored gradient;
  Reducer reducer;
};

/// Two steps of the deterministic mode against the tree summed element by element.
inline void expect_tree_sum(Ranks ranks, const Layout& layout, int micro_batches, Sharding sharding) {
  ReducerOnRanks on(ranks, layout, sharding, Reduction::deterministic, micro_batches, 1024);
  for (int step = 0; step < 2; ++step) {
    const auto [numbers, norm] = on.step(step, step == 0);
    const std::vector<float> expected = summed_in_tree(layout, micro_batches, step);
    const Range range = on.parameters.range();
    EXPECT_TRUE(same_bits(range.of(on.parameters.gradient()), range.of(std::span<const float>(expected))))
        << "V=" << micro_batches << " P=" << ranks.communicator.size() << " step=" << step << " total=" << layout.total;
    const double loss = tree_sum_oracle(0, micro_batches, [](int m) { return double{pseudo_gradient(m, -1)}; });
    EXPECT_EQ(numbers, (std::vector<double>{loss, static_cast<double>(micro_batches)}));
    EXPECT_EQ(norm, std::sqrt(squared_norm_oracle(expected)));
  }
}

/// The fast mode within the rounding of float sums: |error| <= V 2^-24 sum |g|.
inline void expect_bucket_sum(Ranks ranks, const Layout& layout, int micro_batches, Sharding sharding) {
  ReducerOnRanks on(ranks, layout, sharding, Reduction::fast, micro_batches, 2000);
  const std::vector<double> expected = summed_exactly(layout, micro_batches);
  for (int step = 0; step < 2; ++step) {
    on.step(0, step == 0);
    for (std::int64_t i = on.parameters.range().begin; i < on.parameters.range().end; ++i) {
      double magnitude = 0;
      for (int m = 0; m < micro_batches; ++m) magnitude += std::abs(pseudo_gradient(m, i));
      ASSERT_NEAR(on.parameters.gradient()[i], expected[i], micro_batches * 0x1p-24 * magnitude) << "element " << i;
    }
  }
}

/// Only this rank's shard is filled: the rest must not be read.
inline void expect_squared_norm(Ranks ranks, std::int64_t total) {
  std::vector<float> flat(total), mine(total, NAN);
  for (std::int64_t i = 0; i < total; ++i) flat[i] = pseudo_gradient(3, i);
  const Range own = shard_range(total, ranks.communicator.rank(), ranks.communicator.size());
  std::ranges::copy(own.of(std::span(flat)), own.of(std::span(mine)).begin());
  const Mirrored on_device(ranks.device, mine, "a test's vector");
  const SquaredNorm norm(ranks.communicator, ranks.device, on_device.device());
  norm.start();
  EXPECT_EQ(norm.finish(), squared_norm_oracle(flat)) << total << " P=" << ranks.communicator.size();
}

/// Every rank's shard, on every rank.
inline void expect_all_gather(Ranks ranks, std::int64_t total) {
  std::vector<float> flat(total, -1);
  const Range own = shard_range(total, ranks.communicator.rank(), ranks.communicator.size());
  for (std::int64_t i = own.begin; i < own.end; ++i) flat[i] = static_cast<float>(i);
  const Mirrored on_device(ranks.device, flat, "a test's vector");
  ranks.collectives->start_all_gather(on_device.device(), shard_sizes(total, ranks.communicator.size()));
  ranks.collectives->join();
  on_device.to_host();
  for (std::int64_t i = 0; i < total; ++i) ASSERT_EQ(flat[i], static_cast<float>(i));
}

/// All of the above, for some numbers of micro-batches.
inline void expect_collectives(Communicator& communicator, const MakeRanks& make) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer}) {
    for (const int micro_batches : {1, 2, 3, 5, 7, 12, 24, 25}) {
      if (micro_batches >= communicator.size())
        expect_tree_sum(make(communicator), awkward_layout(500), micro_batches, sharding);
    }
    for (const int micro_batches : {6, 13}) {
      if (micro_batches >= communicator.size())
        expect_bucket_sum(make(communicator), awkward_layout(6000), micro_batches, sharding);
    }
  }
  expect_tree_sum(make(communicator), awkward_layout(0), 9, Sharding::optimizer);
  for (const std::int64_t total : {0, 64, 640, 65536, 65600, 262144}) {
    expect_squared_norm(make(communicator), total);
    expect_all_gather(make(communicator), total);
  }
}

}  // namespace distributed::testing
