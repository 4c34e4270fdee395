#include "distributed/events.h"

#include <boost/crc.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "distributed/checkpoint_folder.h"
#include "kernels/check.h"

namespace distributed {
namespace {

/// TensorBoard knows event files by this part of their names, and reads them in the order of their names.
constexpr const char* prefix = "events.out.tfevents.";

template <typename T>
void append_bytes(std::string& text, T value) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T value_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// The message of the record at the beginning of `bytes`; none where it is cut off or damaged.
std::optional<std::string_view> message_of(std::string_view bytes) {
  constexpr std::size_t header = 12, footer = 4;
  if (bytes.size() < header + footer) return std::nullopt;
  const auto length = value_at<std::uint64_t>(bytes, 0);
  if (value_at<std::uint32_t>(bytes, 8) != masked_crc32c(bytes.substr(0, 8))) return std::nullopt;
  if (length > bytes.size() - header - footer) return std::nullopt;
  const std::string_view message = bytes.substr(header, length);
  if (value_at<std::uint32_t>(bytes, header + length) != masked_crc32c(message)) return std::nullopt;
  return message;
}

/// Cuts the file before the first event of a step after `from_step`, or the first that is not whole.
void cut(const std::filesystem::path& file, std::int64_t from_step) {
  std::int64_t end = 0;
  for (const ReadEvent& read : read_events(file)) {
    if (read.event.step() > from_step) break;
    end = read.end;
  }
  std::error_code error;
  std::filesystem::resize_file(file, static_cast<std::uintmax_t>(end), error);
  kernels::require(!error, "{}: cannot be written: {}", file.string(), error.message());
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8u;
}

std::string record_of(std::string_view message) {
  std::string record;
  append_bytes(record, static_cast<std::uint64_t>(message.size()));
  append_bytes(record, masked_crc32c(record));
  record += message;
  append_bytes(record, masked_crc32c(message));
  return record;
}

std::vector<ReadEvent> read_events(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  kernels::require(in.good(), "{}: cannot be opened", file.string());
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::vector<ReadEvent> events;
  for (std::string_view rest = bytes; const auto message = message_of(rest);) {
    Event event;
    if (!event.ParseFromArray(message->data(), static_cast<int>(message->size()))) break;
    const std::int64_t end = message->data() + message->size() + 4 - bytes.data();
    events.push_back({std::move(event), end});
    rest = std::string_view(bytes).substr(static_cast<std::size_t>(end));
  }
  return events;
}

std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const std::string& name : names_with_prefix(folder, prefix)) files.push_back(folder / name);
  return files;
}

EventFile::EventFile(const std::filesystem::path& folder, std::int64_t from_step) {
  const auto earlier = event_files(folder);
  for (const auto& file : earlier) cut(file, from_step);
  file_ = folder / fmt::format("{}{:05}.scoremle", prefix, earlier.size() + 1);
  errno = 0;
  out_.open(file_, std::ios::binary | std::ios::trunc);
  kernels::require(out_.good(), "{}: cannot be written: {}", file_.string(), std::strerror(errno));
  Event version, start;
  version.set_file_version("brain.Event:2");
  append(0, std::move(version));
  start.mutable_session_log()->set_status(SessionLog::START);
  append(from_step + 1, std::move(start));
}

void EventFile::write(std::int64_t step, std::span<const Scalar> scalars) {
  Event event;
  for (const Scalar& scalar : scalars) {
    Summary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(scalar.tag);
    value.set_simple_value(static_cast<float>(scalar.value));
  }
  append(step, std::move(event));
}

void EventFile::write(std::int64_t step, const std::string& tag, const core::picture::Picture& picture) {
  Event event;
  Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  value.mutable_image()->set_height(picture.height);
  value.mutable_image()->set_width(picture.width);
  value.mutable_image()->set_colorspace(picture.channels);
  value.mutable_image()->set_encoded_image_string(core::picture::png(picture));
  append(step, std::move(event));
}

void EventFile::append(std::int64_t step, Event event) {
  event.set_step(step);
  event.set_wall_time(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  const std::string record = record_of(event.SerializeAsString());
  out_.write(record.data(), std::ssize(record)).flush();
  kernels::require(out_.good(), "{}: could not be written: is the disk full?", file_.string());
}

}  // namespace distributed
