#include "distributed/metrics.h"

#include <gtest/gtest.h>

#include <fstream>

#include "distributed/curves.h"
#include "kernels/check.h"
#include "tests/folder.h"

namespace distributed {
namespace {

namespace fs = std::filesystem;

/// tag, step and value of every scalar in the folder's event files.
std::vector<std::string> scalars(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& file : event_files(folder)) {
    for (const ReadEvent& read : read_events(file)) {
      for (const auto& value : read.event.summary().value())
        found.push_back(fmt::format("{} {} {:.6g}", read.event.step(), value.tag(), value.simple_value()));
    }
  }
  return found;
}

TEST(Metrics, AResumedRunDropsWhatCameAfterItsCheckpoint) {
  const tests::Folder folder("metrics");
  {
    Metrics metrics(folder.path(), 0);
    for (std::int64_t step : {10, 20, 30}) metrics.write_heldout(step, 4.0 + 0.01 * static_cast<double>(step), 0.1, 5);
  }
  std::ofstream(folder / "metrics.jsonl", std::ios::app)
      << "{\"step\": 35, \"heldout_b";  // cut off in the middle of a line
  Metrics(folder.path(), 20).write_heldout(40, 7, 0.2, 5);
  const auto curve = read_curve(folder / "metrics.jsonl", "heldout_bits");
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_EQ(curve[1].step, 20);
  EXPECT_DOUBLE_EQ(curve[1].value, 4.2);
  EXPECT_EQ(curve[2].step, 40);
  EXPECT_DOUBLE_EQ(curve[2].standard_error, 0.2);
  EXPECT_EQ(scalars(folder.path()), (std::vector<std::string>{"10 heldout/bits 4.1", "10 heldout/standard_error 0.1",
                                                              "20 heldout/bits 4.2", "20 heldout/standard_error 0.1",
                                                              "40 heldout/bits 7", "40 heldout/standard_error 0.2"}));
}

TEST(Metrics, TheHeldOutBoundsAreATable) {
  const tests::Folder folder("metrics");
  EXPECT_EQ(heldout_table(folder.path(), std::nullopt), "");
  Metrics metrics(folder.path(), 0);
  metrics.write_heldout(250, 4.25, 0.125, 5);
  metrics.write_heldout(500, 3.5, 0.0625, 5);
  EXPECT_EQ(heldout_table(folder.path(), std::nullopt),
            "      step  held-out bound, bits/dim\n"
            "       250  4.2500 ± 0.1250\n"
            "       500  3.5000 ± 0.0625\n");
  EXPECT_EQ(heldout_table(folder.path(), 3.25),
            "      step  held-out bound, bits/dim  above the entropy\n"
            "       250  4.2500 ± 0.1250           +1.0000\n"
            "       500  3.5000 ± 0.0625           +0.2500\n");
}

TEST(Metrics, EveryFigureOfAStretchIsShownAndNoEmptyBin) {
  const tests::Folder folder("metrics");
  core::objective::LossBits loss;
  loss.add({}, 0.5, 0.25);
  Metrics(folder.path(), 0)
      .write(
          {.step = 3, .steps = 9, .loss = loss, .gradient_norm = 0.5, .learning_rate = 0.25, .images_per_second = 8});
  const auto found = scalars(folder.path());
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0], fmt::format("3 training/loss_bits {:.6g}", loss.mean()));
  EXPECT_EQ(found[1], "3 training/gradient_norm 0.5");
  EXPECT_EQ(found[2], "3 training/learning_rate 0.25");
  EXPECT_EQ(found[3], "3 training/images_per_second 8");
  EXPECT_TRUE(found[4].starts_with("3 loss_bits_by_log_snr/")) << found[4];
}

TEST(Metrics, AFolderThatIsNotThereIsNamed) {
  EXPECT_THROW(Metrics("/nosuch", 0), kernels::InputError);
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
