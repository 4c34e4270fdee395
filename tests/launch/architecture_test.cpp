// The house's own rules, read off its sources: which way includes look, who may see which library, no conditionals.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Line {
  std::string file, text;
  int number;
  std::string place() const { return file + ":" + std::to_string(number) + ": " + text; }
};

std::vector<Line> lines_of(const std::string& room) {
  std::vector<Line> lines;
  for (const auto& entry : fs::recursive_directory_iterator(room)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
    std::ifstream in(entry.path());
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) lines.push_back({entry.path().string(), text, number});
  }
  EXPECT_GT(lines.size(), 100u) << room << ": run this in the project's root";
  return lines;
}

const std::vector<std::string> rooms = {"kernels", "core", "distributed", "launch"};  // from the ground up

TEST(Architecture, IncludesOnlyLookDown) {
  for (std::size_t room = 0; room < rooms.size(); ++room) {
    for (const Line& line : lines_of(rooms[room])) {
      for (std::size_t above = room + 1; above < rooms.size(); ++above) {
        EXPECT_EQ(line.text.find("#include \"" + rooms[above] + "/"), std::string::npos) << line.place();
      }
      EXPECT_EQ(line.text.find("#include \"tests/"), std::string::npos) << line.place();
    }
  }
}

TEST(Architecture, ALibraryIsSeenOnlyWhereItBelongs) {
  struct Rule {
    std::string header, allowed;  // regular expressions
  };
  const std::vector<Rule> rules = {
      {"<mpi", "distributed/communicator_mpi\\.cpp"},
      {"<(dnnl|oneapi)", "kernels/onednn\\.cpp"},
      {"<(cuda|nccl|nvtx|cublas|cudnn)", "kernels/simt/(language|tile)_cuda\\.h|kernels/cuda/.*"},
      {"<Random123", "kernels/philox\\.h"},
      {"<omp\\.h", "kernels/parallel\\.h|core/data/stored_images\\.cpp|launch/train\\.cpp"},
      {"<google/protobuf", "core/config/.*|distributed/manifest\\.cpp|distributed/checkpoint_.*"},
      {"<archive", "core/data/archive\\.cpp|core/picture/npz\\.cpp"},
      {"<(jpeglib|spng)", "core/data/decode\\.cpp|core/picture/png\\.cpp"},
      {"<cairo", "core/picture/plot\\.cpp"},
      {"<CLI", "launch/command\\.h"},
      {"<boost", "core/likelihood/.*|distributed/events\\.cpp|launch/page\\.cpp"},
  };
  for (const std::string& room : rooms) {
    for (const Line& line : lines_of(room)) {
      for (const Rule& rule : rules) {
        const bool seen = std::regex_search(line.text, std::regex("^#include " + rule.header));
        EXPECT_TRUE(!seen || std::regex_match(line.file, std::regex(rule.allowed))) << line.place();
      }
    }
  }
}

TEST(Architecture, OnlyOneHeaderHasConditionals) {
  const std::regex conditional("^\\s*#\\s*(if|ifdef|ifndef|elif|else|endif)\\b"), definition("^\\s*#\\s*define\\b"),
      language("kernels/simt/language_.*\\.h");  // defines the words that only the preprocessor can
  for (const std::string& room : rooms) {
    for (const Line& line : lines_of(room)) {
      if (line.file == "kernels/portable.h") continue;
      EXPECT_FALSE(std::regex_search(line.text, conditional)) << line.place();
      EXPECT_TRUE(!std::regex_search(line.text, definition) || std::regex_match(line.file, language)) << line.place();
    }
  }
}

TEST(Architecture, FilesAreShort) {
  for (const std::string& room : rooms) {
    for (const Line& line : lines_of(room)) {
      if (line.number == 401) ADD_FAILURE() << line.file << " has more than 400 lines: which two things is it doing?";
    }
  }
}

TEST(Architecture, HeadersSayWhatTheyAreFor) {
  for (const std::string& room : rooms) {
    for (const Line& line : lines_of(room)) {
      const bool opening = line.number == 1 && line.file.ends_with(".h");
      EXPECT_TRUE(!opening || line.text.starts_with("// ")) << line.place();
    }
  }
}

}  // namespace
