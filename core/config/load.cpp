#include "core/config/load.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "kernels/check.h"

namespace core::config {
namespace {

namespace fs = std::filesystem;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// Keeps the first error, as one line.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string source) : source_(std::move(source)) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}:{}:{}: {}", source_, line + 1, column + 1, message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string source_, text_;
};

RunConfig parse(const std::string& text, const std::string& source) {
  FirstError error(source);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  RunConfig config;
  kernels::require(parser.ParseFromString(text, &config), "{}", error.text());
  return config;
}

std::string read(const fs::path& file) {
  std::ifstream in(file);
  kernels::require(in.good(), "{}: cannot be opened", file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path find(const fs::path& name, const std::vector<fs::path>& preset_folders) {
  if (fs::is_regular_file(name)) return name;
  std::set<std::string> presets;
  for (const fs::path& folder : preset_folders) {
    const fs::path file = folder / (name.string() + ".textproto");
    if (fs::is_regular_file(file)) return file;
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".textproto") presets.insert(entry.path().stem().string());
    }
  }
  std::string list;
  for (const std::string& preset : presets) list += " " + preset;
  throw kernels::InputError(
      fmt::format("{}: is neither a file nor a preset; presets are:{}", name.string(), list.empty() ? " none" : list));
}

/// `files` are those that led here.
RunConfig load_with_bases(const fs::path& file, std::vector<fs::path> files,
                          const std::vector<fs::path>& preset_folders) {
  const fs::path canonical = fs::canonical(file);
  kernels::require(std::find(files.begin(), files.end(), canonical) == files.end(), "{}: is its own base",
                   file.string());
  files.push_back(canonical);
  RunConfig config = parse(read(file), file.string());
  if (!config.has_base()) return config;
  const fs::path beside = file.parent_path() / config.base();
  RunConfig result = load_with_bases(
      find(fs::is_regular_file(beside) ? beside : fs::path(config.base()), preset_folders), files, preset_folders);
  config.clear_base();
  merge(config, result);
  return result;
}

void override_with(const std::vector<std::string>& overrides, RunConfig& config) {
  for (const std::string& override : overrides) merge(parse(override, fmt::format("--set '{}'", override)), config);
}

/// With its defaults; throws InputError where anything is wrong.
RunConfig completed(const RunConfig& given, const std::string& source) {
  const RunConfig config = with_defaults(given);
  const std::vector<Violation> found = violations(config);
  if (found.empty()) return config;
  std::string lines;
  for (const Violation& violation : found)
    lines += fmt::format("{}{}: {}", found.size() > 1 ? "\n  " : " ", violation.field, violation.message);
  throw kernels::InputError(fmt::format(
      "{}:{}{}", source, found.size() > 1 ? fmt::format(" {} fields are wrong:", found.size()) : "", lines));
}

}  // namespace

void merge(const Message& over, Message& under) {
  const auto* reflection = over.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(over, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool message = !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (message && reflection->HasField(under, field)) {
      merge(reflection->GetMessage(over, field), *reflection->MutableMessage(&under, field));
      continue;
    }
    // MergeFrom on a message that has this field only: protobuf sets scalars and oneofs, and appends what was cleared.
    reflection->ClearField(&under, field);
    std::unique_ptr<Message> only(over.New());
    only->CopyFrom(over);
    for (const FieldDescriptor* other : fields) {
      if (other != field) reflection->ClearField(only.get(), other);
    }
    under.MergeFrom(*only);
  }
}

RunConfig load(const fs::path& file_or_preset, const std::vector<std::string>& overrides,
               const std::vector<fs::path>& preset_folders) {
  RunConfig config = load_with_bases(find(file_or_preset, preset_folders), {}, preset_folders);
  override_with(overrides, config);
  return config;
}

RunConfig load_valid(const fs::path& file_or_preset, const std::vector<std::string>& overrides,
                     const std::vector<fs::path>& preset_folders) {
  return completed(load(file_or_preset, overrides, preset_folders), file_or_preset.string());
}

RunConfig valid_text(const std::string& text, const std::string& source, const std::vector<std::string>& overrides) {
  RunConfig config = parse(text, source);
  override_with(overrides, config);
  return completed(config, source);
}

}  // namespace core::config
