// TensorBoard's event files: framing and checksums against published values, what a resumed or cut-off job leaves.
#include "distributed/events.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/check.h"
#include "tests/folder.h"

namespace distributed {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

TEST(Crc32c, IsThatOfRfc3720) {
  EXPECT_EQ(masked_crc32c("123456789"), masked(0xe3069283));
  EXPECT_EQ(masked_crc32c(std::string(32, '\0')), masked(0x8a9136aa));
  EXPECT_EQ(masked_crc32c(std::string(32, '\xff')), masked(0x62a8ab43));
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(masked_crc32c(rising), masked(0x46dd794e));
}

TEST(Records, BeginAsEveryEventFileDoes) {
  // The first bytes of any event file: a version event is 24 bytes long.
  const std::string record = record_of(std::string(24, 'x'));
  EXPECT_EQ(record.substr(0, 12), "\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22"s);
  EXPECT_EQ(record.size(), 8u + 4 + 24 + 4);
}

TEST(Messages, HaveThePublishedFieldNumbers) {
  Event event;
  event.set_step(3);
  event.set_wall_time(1);
  auto& value = *event.mutable_summary()->add_value();
  value.set_tag("t");
  value.set_simple_value(1);
  // 1: fixed64 1.0, 2: varint 3, 5: length 10 { 1: length 8 { 1: "t", 2: fixed32 1.0 } }
  EXPECT_EQ(event.SerializeAsString(), "\x09\0\0\0\0\0\0\xf0\x3f\x10\x03\x2a\x0a\x0a\x08\x0a\x01t\x15\0\0\x80\x3f"s);
  Event picture;
  auto& image = *picture.mutable_summary()->add_value()->mutable_image();
  image.set_height(1);
  image.set_width(2);
  image.set_colorspace(3);
  image.set_encoded_image_string("p");
  // 5 { 1 { 4 { 1: 1, 2: 2, 3: 3, 4: "p" } } }
  EXPECT_EQ(picture.SerializeAsString(), "\x2a\x0d\x0a\x0b\x22\x09\x08\x01\x10\x02\x18\x03\x22\x01p"s);
  Event version, start;
  version.set_file_version("v");
  EXPECT_EQ(version.SerializeAsString(), "\x1a\x01v");
  start.mutable_session_log()->set_status(SessionLog::START);
  EXPECT_EQ(start.SerializeAsString(), "\x3a\x02\x08\x01");
}

/// Steps of the scalars in all of the folder's files.
std::vector<std::int64_t> steps(const fs::path& folder) {
  std::vector<std::int64_t> found;
  for (const auto& file : event_files(folder)) {
    for (const ReadEvent& read : read_events(file)) {
      if (read.event.has_summary()) found.push_back(read.event.step());
    }
  }
  return found;
}

void write_steps(EventFile file, std::initializer_list<std::int64_t> steps) {
  const Scalar scalars[] = {{"a", 1}};
  for (const std::int64_t step : steps) file.write(step, scalars);
}

TEST(EventFile, AResumedRunHasEveryStepOnce) {
  const tests::Folder folder("events");
  write_steps(EventFile(folder.path(), 0), {1, 2, 3, 4, 5});
  write_steps(EventFile(folder.path(), 3), {4, 5, 6});
  write_steps(EventFile(folder.path(), 2), {3});
  write_steps(EventFile(folder.path(), 3), {4, 5});
  EXPECT_EQ(steps(folder.path()), (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  const auto files = event_files(folder.path());
  ASSERT_EQ(files.size(), 4u);
  const auto last = read_events(files.back());
  EXPECT_EQ(last[0].event.file_version(), "brain.Event:2");
  EXPECT_EQ(last[1].event.session_log().status(), SessionLog::START);
  EXPECT_EQ(last[1].event.step(), 4);  // TensorBoards that run forget what they saw of this step and later ones
}

TEST(EventFile, WhatIsCutOffOrDamagedEndsTheReading) {
  const tests::Folder folder("events");
  write_steps(EventFile(folder.path(), 0), {1, 2, 3});
  const auto file = event_files(folder.path())[0];
  const auto whole = read_events(file);
  ASSERT_EQ(whole.size(), 5u);
  EXPECT_EQ(static_cast<std::uintmax_t>(whole.back().end), fs::file_size(file));
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(whole[3].end - 5).put('!');  // the last byte of the message of step 2
  bytes.close();
  EXPECT_EQ(steps(folder.path()), (std::vector<std::int64_t>{1}));
  fs::resize_file(file, static_cast<std::uintmax_t>(whole[2].end - 1));
  EXPECT_EQ(read_events(file).size(), 2u);
  write_steps(EventFile(folder.path(), 1), {2});  // the half record goes, so that a reader does not stop there
  EXPECT_EQ(fs::file_size(file), static_cast<std::uintmax_t>(whole[1].end));
  EXPECT_EQ(steps(folder.path()), (std::vector<std::int64_t>{2}));
}

TEST(EventFile, HoldsPictures) {
  const tests::Folder folder("events");
  EventFile(folder.path(), 0).write(7, "samples", {.width = 2, .height = 1, .channels = 1, .pixels = {0, 255}});
  const auto events = read_events(event_files(folder.path())[0]);
  ASSERT_EQ(events.size(), 3u);
  const auto& value = events[2].event.summary().value(0);
  EXPECT_EQ(value.tag(), "samples");
  EXPECT_EQ(value.image().width(), 2);
  EXPECT_EQ(value.image().colorspace(), 1);
  EXPECT_TRUE(value.image().encoded_image_string().starts_with("\x89PNG"));
}

TEST(EventFile, AFolderThatIsNotThereIsNamed) {
  EXPECT_THROW(EventFile("/nosuch", 0), kernels::InputError);
}

}  // namespace
}  // namespace distributed
