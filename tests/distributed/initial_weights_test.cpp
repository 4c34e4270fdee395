#include "distributed/initial_weights.h"

#include <gtest/gtest.h>

namespace distributed {
namespace {

TEST(CopyMatching, CopiesByNameAndShapeAndListsTheRest) {
  const std::vector<NamedShape> theirs = {{"a", {2}}, {"gone", {1}}, {"b", {2, 3}}, {"c", {4}}};
  const std::vector<NamedShape> ours = {{"c", {4}}, {"new", {1, 2}}, {"b", {3, 2}}, {"a", {2}}};
  const Layout from = make_layout(theirs), to = make_layout(ours);
  std::vector<float> source(static_cast<std::size_t>(from.total)), target(static_cast<std::size_t>(to.total), -1);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i);
  const Match match = copy_matching(from, source, to, target);
  EXPECT_EQ(match.tensors, 2);
  EXPECT_EQ(match.elements, 6);
  EXPECT_EQ(match.only_there, (std::vector<std::string>{"gone [1]"}));
  EXPECT_EQ(match.only_here, (std::vector<std::string>{"new [1,2]"}));
  EXPECT_EQ(match.other_shape, (std::vector<std::string>{"b [2,3], here [3,2]"}));
  const auto at = [&](std::size_t tensor, std::size_t i) {
    return target[static_cast<std::size_t>(to.tensors[tensor].offset) + i];
  };
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(at(0, i), static_cast<float>(from.tensors[3].offset) + i);  // c
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(at(3, i), static_cast<float>(i));                           // a
  EXPECT_EQ(at(1, 0), -1);
  EXPECT_EQ(at(2, 5), -1);
}

}  // namespace
}  // namespace distributed
