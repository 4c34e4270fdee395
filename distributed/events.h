// TensorBoard event files: a run's figures and pictures where `tensorboard --logdir` finds them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/picture/png.h"
#include "distributed/event.pb.h"

namespace distributed {

struct Scalar {
  std::string tag;
  double value;
};

/// The event file of one job; every job of a run writes its own.
class EventFile {
 public:
  /// Begins the next file in `folder`, and removes from those that are there what is of steps after `from_step` (left
  /// by a job that was cut off after its last checkpoint). Throws InputError where it cannot be written.
  EventFile(const std::filesystem::path& folder, std::int64_t from_step);

  void write(std::int64_t step, std::span<const Scalar> scalars);
  void write(std::int64_t step, const std::string& tag, const core::picture::Picture& picture);

 private:
  void append(std::int64_t step, Event event);
  std::filesystem::path file_;
  std::ofstream out_;
};

/// One event as a TFRecord: u64 length, masked CRC-32C of these 8 bytes, the message, its masked CRC-32C.
std::string record_of(std::string_view message);

/// ((crc >> 15) | (crc << 17)) + 0xa282ead8, crc the CRC-32C (Castagnoli, RFC 3720).
std::uint32_t masked_crc32c(std::string_view bytes);

struct ReadEvent {
  Event event;
  std::int64_t end;  // of its record, in bytes from the beginning of the file
};
/// The events of a file, up to a record that is cut off or damaged. Throws InputError where it cannot be opened.
std::vector<ReadEvent> read_events(const std::filesystem::path& file);

/// A folder's event files, oldest first.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);

}  // namespace distributed
