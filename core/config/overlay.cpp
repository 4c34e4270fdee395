#include "core/config/overlay.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "kernels/check.h"

namespace core::config {
namespace {

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

void find_emptied(const Message& message, const google::protobuf::TextFormat::ParseInfoTree& tree,
                  std::vector<const FieldDescriptor*> path, Overlay& parsed) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    path.push_back(field);
    if (field->is_repeated()) {
      if (reflection->FieldSize(message, field) == 0 && tree.GetLocation(field, 0).line >= 0)
        parsed.emptied.push_back(path);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && reflection->HasField(message, field)) {
      find_emptied(reflection->GetMessage(message, field), *tree.GetTreeForNested(field, -1), path, parsed);
    }
    path.pop_back();
  }
}

}  // namespace

Overlay parse(const std::string& text, const std::string& source) {
  FirstError error(source);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  google::protobuf::TextFormat::ParseInfoTree places;
  parser.WriteLocationsTo(&places);
  Overlay parsed;
  kernels::require(parser.ParseFromString(text, &parsed.config), "{}", error.text());
  find_emptied(parsed.config, places, {}, parsed);
  return parsed;
}

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

void apply(const Overlay& over, RunConfig& under) {
  merge(over.config, under);
  for (const auto& path : over.emptied) {
    Message* message = &under;
    for (const FieldDescriptor* field : path) {
      if (field == path.back())
        message->GetReflection()->ClearField(message, field);
      else
        message = message->GetReflection()->MutableMessage(message, field);
    }
  }
}

}  // namespace core::config
