// The report of a run: complete, well-formed, and in need of no other file.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "tests/launch/process.h"

namespace {

using tests::run;

tests::Outcome expect_success(const std::string& command) {
  const tests::Outcome outcome = run(command);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.output;
  return outcome;
}

std::string decoded(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned value = 0;
  int bits = 0;
  for (const char c : base64) {
    if (c == '=') break;
    value = value << 6 | static_cast<unsigned>(digits.find(c));
    if ((bits += 6) >= 8) bytes += static_cast<char>(value >> (bits -= 8) & 255);
  }
  return bytes;
}

/// Every element that is opened is closed, in order.
void expect_well_formed(const std::string& page) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z0-9]+)[^>]*?(/?)>");
  for (auto at = std::sregex_iterator(page.begin(), page.end(), tag); at != std::sregex_iterator(); ++at) {
    const std::string name = (*at)[2];
    if ((*at)[3] == "/" || name == "meta" || name == "img") continue;
    if ((*at)[1] != "/") {
      open.push_back(name);
    } else {
      ASSERT_TRUE(!open.empty() && open.back() == name) << "</" << name << "> after <" << open.back() << ">";
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Report, HoldsTheWholeRunInOneFile) {
  tests::Folder folder("report");
  const std::string run_folder = (folder / "run").string(), page_file = (folder / "run/report.html").string();
  expect_success(
      "scoremle train --config configs/quickstart.textproto --set 'name: \"a <b> & \\\"c\\\"\" model { channels: 8 "
      "channel_multipliers: [1, 2] attention_sizes: 4 } data { image_size: 8 } training { directory: \"" +
      run_folder +
      "\" micro_batches: 2 micro_batch_images: 3 steps: 6 log_every: 1 evaluate_every: 2 evaluate_images: 4 } "
      "optimizer { "
      "warmup_steps: 1 } evaluation { bound_times: 2 ode_tolerance: 1e-2 }'");
  expect_success("scoremle report --run " + run_folder);
  const std::string early = tests::contents(page_file);
  expect_well_formed(early);
  EXPECT_NE(early.find("Not evaluated yet"), std::string::npos);
  EXPECT_NE(early.find("None drawn yet"), std::string::npos);

  const std::string evaluation = expect_success("scoremle evaluate --run " + run_folder + " --images 3").output;
  expect_success("scoremle sample --run " + run_folder + " --set 'sampling { images: 2 steps: 3 }'");
  EXPECT_EQ(expect_success("scoremle report --run " + run_folder).output, "report: " + page_file + "\n");
  const std::string page = tests::contents(page_file);
  expect_well_formed(page);
  for (const char* outside : {"http", "<script", "<link", "url(", "nan", "inf<"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;

  // Every figure of the table that evaluate printed, the fingerprint of the data among them.
  const std::regex figure(
      "  (variational bound|prior|diffusion|reconstruction|probability-flow ODE) +(-?[0-9.]+) ± ([0-9.]+)");
  int figures = 0;
  for (auto at = std::sregex_iterator(evaluation.begin(), evaluation.end(), figure); at != std::sregex_iterator();
       ++at) {
    const std::string cells = "<td>" + (*at)[1].str() + "</td><td class=\"number\">" + (*at)[2].str() +
                              "</td><td class=\"number\">± " + (*at)[3].str() + "</td>";
    EXPECT_NE(page.find(cells), std::string::npos) << cells;
    ++figures;
  }
  EXPECT_EQ(figures, 5) << evaluation;
  std::smatch fingerprint;
  ASSERT_TRUE(std::regex_search(evaluation, fingerprint, std::regex("fingerprint [0-9a-f]{32}"))) << evaluation;
  EXPECT_NE(page.find(fingerprint.str()), std::string::npos);
  EXPECT_NE(page.find("entropy of the source"), std::string::npos);

  // The picture, bit for bit.
  std::smatch picture;
  ASSERT_TRUE(std::regex_search(page, picture, std::regex("data:image/png;base64,([A-Za-z0-9+/=]+)\"")));
  EXPECT_EQ(decoded(picture[1]), tests::contents(folder / "run/samples.png"));

  // Curves, config, environment, names as HTML writes them.
  const std::regex drawing("<svg ");
  EXPECT_EQ(std::distance(std::sregex_iterator(page.begin(), page.end(), drawing), std::sregex_iterator()), 5);
  for (const char* part : {"<h1>a &lt;b&gt; &amp; &quot;c&quot;</h1>", "evaluate_images: 4", "6 / 6", "1 × 1"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Report, WrongRunsGetOneLine) {
  tests::Folder folder("report_wrong");
  EXPECT_EQ(run("scoremle report --run /nosuch").output,
            "scoremle: /nosuch: is not the folder of a run (it has no config.textproto)\n");
  std::filesystem::copy("configs/quickstart.textproto", folder / "config.textproto");
  std::ofstream(folder / "jobs.jsonl") << "{}\n";
  const auto jobs = run("scoremle report --run " + folder.text());
  EXPECT_EQ(jobs.status, 2);
  EXPECT_NE(jobs.output.find("jobs.jsonl: is not what train writes"), std::string::npos) << jobs.output;
  std::ofstream(folder / "likelihood.json") << "{}";
  const auto outcome = run("scoremle report --run " + folder.text());
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.output.find("likelihood.json: is not what evaluate writes"), std::string::npos) << outcome.output;
  EXPECT_EQ(run("scoremle report --run " + folder.text() + " --output /nosuch/x.html").status, 2);
}

}  // namespace
