#include "core/likelihood/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "kernels/check.h"

namespace core::likelihood {
namespace {

Report example() {
  return {.data = "four images (fingerprint 0123abcd)",
          .model = "a model at step 7",
          .passes = 3,
          .bound = {{4, 0.25, 2.5, 0.5}, {9, 0.75, 3.5, 0.5}},
          .bound_times = 20,
          .ode = {{9, 3.125, 110}, {12, 4.125, 130}},
          .ode_tolerance = 1e-5};
}

TEST(Summary, MeanAndStandardErrorOverImages) {
  const double values[] = {1, 2, 4, 9};
  const Summary summary = summarise(values);
  EXPECT_DOUBLE_EQ(summary.mean, 4);
  EXPECT_DOUBLE_EQ(summary.standard_error, std::sqrt((9.0 + 4 + 0 + 25) / 3 / 4));
  EXPECT_EQ(summary.images, 4);
  EXPECT_TRUE(std::isnan(summarise(std::span(values, 1)).standard_error));
}

TEST(Report, SaysEveryTermWithItsErrorAndHowItWasMade) {
  const std::string table = text(example());
  // Of the bound's totals 3.25 and 4.75: mean 4, standard error 0.75. Of the ODE: 3.625 +- 0.5, 120 evaluations.
  for (const char* expected :
       {"fingerprint 0123abcd", "a model at step 7", "4.0000 ± 0.7500", "0.5000 ± 0.2500", "3.0000 ± 0.5000",
        "0.5000 ± 0.0000", "3.6250 ± 0.5000", "3 passes x 21 evaluations", "120 evaluations an image",
        "tolerance 1e-05", "variational bound", "probability-flow ODE", "prior", "diffusion", "reconstruction"})
    EXPECT_NE(table.find(expected), std::string::npos) << expected << "\n" << table;
  EXPECT_EQ(table.find("entropy"), std::string::npos);
  Report single = example();
  single.ode.pop_back();
  EXPECT_NE(text(single).find("3.1250 ± unknown"), std::string::npos) << text(single);
  Report known = example();
  known.entropy = 3.5;
  known.entropy_meaning = "exact";
  EXPECT_NE(text(known).find("entropy of the source"), std::string::npos);
}

TEST(Report, WritesALinePerImage) {
  const auto file = std::filesystem::path(testing::TempDir()) / "report_test.tsv";
  write_per_image(example(), file);
  std::ifstream in(file);
  std::stringstream found;
  found << in.rdbuf();
  EXPECT_EQ(found.str(),
            "image\tbound\tprior\tdiffusion\treconstruction\tode\tode_evaluations\n"
            "4\t3.25\t0.25\t2.5\t0.5\t\t\n"
            "9\t4.75\t0.75\t3.5\t0.5\t3.125\t110\n"
            "12\t\t\t\t\t4.125\t130\n");
  std::filesystem::remove(file);
}

TEST(Report, NamesAFileThatCannotBeWritten) {
  for (const char* file : {"/no/such/folder/likelihood.tsv", "/dev/full"}) {
    try {
      write_per_image(example(), file);
      ADD_FAILURE() << file << " was written";
    } catch (const kernels::InputError& error) {
      EXPECT_NE(std::string(error.what()).find(file), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace core::likelihood
