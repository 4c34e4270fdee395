// A piece of config text, and how it lies over another config.
#pragma once

#include <string>
#include <vector>

#include "core/config/run.pb.h"

namespace core::config {

/// What a text sets. A list that it sets to `[]` is in `emptied`, by the fields that lead there: the message alone
/// cannot tell it from one that is not mentioned.
struct Overlay {
  RunConfig config;
  std::vector<std::vector<const google::protobuf::FieldDescriptor*>> emptied;
};

/// Throws InputError with `source`, line and column of the first error, unknown fields among them.
Overlay parse(const std::string& text, const std::string& source);

/// Sets what `over` sets: scalars and oneofs are replaced, repeated fields replaced as a whole, messages merged field
/// by field.
void merge(const google::protobuf::Message& over, google::protobuf::Message& under);
/// The same, and empties the lists that are set to `[]`.
void apply(const Overlay& over, RunConfig& under);

}  // namespace core::config
