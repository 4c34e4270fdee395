// An installed scoremle needs neither its source nor its build folder.
#include <gtest/gtest.h>

#include "tests/launch/process.h"

namespace {

TEST(Install, TheInstalledBinaryFindsItsPresets) {
  tests::Folder folder("install");
  const auto installed =
      tests::run(std::string(CMAKE_PROGRAM) + " --install " + BUILD_FOLDER + " --prefix " + folder.text());
  ASSERT_EQ(installed.status, 0) << installed.output;
  const std::string start = "cd / && '" + folder.text() + "/bin/scoremle' ";  // / has no configs/
  const auto outcome = tests::run(start + "train --config quickstart --dry-run");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("parameters           748737"), std::string::npos) << outcome.output;
  const auto unknown = tests::run(start + "train --config nosuch");
  EXPECT_EQ(unknown.status, 2);
  for (const char* preset : {" cifar10_ddpmpp_vp_likelihood ", " images32 ", " quickstart "})
    EXPECT_NE(unknown.output.find(preset), std::string::npos) << unknown.output;
}

}  // namespace
