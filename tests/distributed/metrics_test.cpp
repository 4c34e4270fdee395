#include "distributed/metrics.h"

#include <gtest/gtest.h>

#include <fstream>

#include "kernels/check.h"

namespace distributed {
namespace {

namespace fs = std::filesystem;

struct File {
  fs::path path = fs::path(testing::TempDir()) / "metrics_test.jsonl";
  File() { fs::remove(path); }
  ~File() { fs::remove(path); }
};

TEST(Metrics, AResumedRunDropsWhatCameAfterItsCheckpoint) {
  const File file;
  {
    Metrics metrics(file.path, 0);
    for (std::int64_t step : {10, 20, 30}) metrics.write_heldout(step, 4.0 + 0.01 * static_cast<double>(step), 0.1, 5);
  }
  std::ofstream(file.path, std::ios::app) << "{\"step\": 35, \"heldout_b";  // cut off in the middle of a line
  Metrics(file.path, 20).write_heldout(40, 7, 0.2, 5);
  const auto curve = read_curve(file.path, "heldout_bits");
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_EQ(curve[1].step, 20);
  EXPECT_DOUBLE_EQ(curve[1].value, 4.2);
  EXPECT_EQ(curve[2].step, 40);
  EXPECT_DOUBLE_EQ(curve[2].standard_error, 0.2);
}

TEST(Metrics, AFolderThatIsNotThereIsNamed) {
  EXPECT_THROW(Metrics("/nosuch/metrics.jsonl", 0), kernels::InputError);
}

TEST(ProgressLine, SaysHowFarHowFastAndHowLong) {
  core::objective::LossBits loss;
  loss.add({}, 0.1, 0.5);
  const Progress progress{.step = 120,
                          .steps = 600,
                          .loss = loss,
                          .gradient_norm = 0.83,
                          .learning_rate = 2e-4,
                          .images_per_second = 512,
                          .seconds_per_step = 0.25,
                          .resident_mib = 90};
  const std::string line = progress_line(progress);
  EXPECT_TRUE(line.starts_with("step 120/600  loss ")) << line;
  EXPECT_TRUE(line.ends_with("|g| 0.83  lr 0.0002  512.0 images/s  90 MiB  2:00 left")) << line;
}

}  // namespace
}  // namespace distributed
