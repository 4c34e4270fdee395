#include "kernels/simt/races.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/simt/source_line.h"

namespace kernels::simt {
namespace {

constexpr std::size_t most_lines = 16;

bool writes(Access access) {
  return access == Access::write || access == Access::atomic_write;
}
bool atomic(Access access) {
  return access == Access::atomic_read || access == Access::atomic_write;
}
bool within(std::span<const std::byte> bytes, std::uintptr_t address) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return address >= begin && address < begin + bytes.size();
}

}  // namespace

void Races::begin_launch() {
  pages_.clear();
  recent_ = {};
  blocks_.clear();
  known_.clear();
  found_.clear();
  leave();
}

void Races::begin_block(std::string name) {
  blocks_.push_back({++epoch_, std::move(name)});
  warp_epochs_ = {};
  shared_.clear();
}

Races::Page& Races::page_of(std::uintptr_t address) {
  const std::uintptr_t number = address / Page::size;
  Recent& recent = recent_[number % recent_.size()];
  if (recent.page == nullptr || recent.number != number) recent = {number, &pages_[number]};
  return *recent.page;
}

bool Races::is_shared(std::uintptr_t address) const {
  return std::any_of(shared_.begin(), shared_.end(), [=](const auto& bytes) { return within(bytes, address); });
}

bool Races::conflict(const Stamp& before, const Stamp& now, bool shared) const {
  if (before.epoch == 0 || (atomic(before.access) && atomic(now.access))) return false;
  if (before.epoch < blocks_.back().first_epoch) return !shared;  // of another block
  if (before.thread == now.thread || before.epoch < now.epoch) return false;
  return before.thread / 32 != now.thread / 32 || before.warp_epoch == now.warp_epoch;
}

void Races::access(const void* address, std::size_t bytes, Access access, const void* instruction) {
  auto at = reinterpret_cast<std::uintptr_t>(address);
  if (thread_ == nobody || within(ignored_, at)) return;
  const bool shared = is_shared(at);
  const Stamp now{epoch_, static_cast<std::uint16_t>(thread_), warp_epochs_[thread_ / 32], access,
                  instruction_number(instruction)};
  for (const std::uintptr_t end = at + bytes; at < end;) {
    Page& page = page_of(at);
    if (!page.bytes && (at % 4 != 0 || end - at < 4)) {
      page.bytes = std::make_unique<std::array<Cell, Page::size>>();
      for (std::size_t i = 0; i < Page::size; ++i) (*page.bytes)[i] = page.words[i / 4];
    }
    record(page.bytes ? (*page.bytes)[at % Page::size] : page.words[at % Page::size / 4], now, shared);
    at += page.bytes ? 1 : 4;
  }
}

void Races::record(Cell& cell, const Stamp& now, bool shared) {
  if (conflict(cell.write, now, shared)) report(cell.write, now, shared);
  if (!writes(now.access)) {
    const bool same_reader = cell.read.thread == now.thread && cell.read.epoch >= blocks_.back().first_epoch;
    if (!same_reader) cell.other_read = cell.read;
    cell.read = now;
    return;
  }
  if (conflict(cell.read, now, shared))
    report(cell.read, now, shared);
  else if (conflict(cell.other_read, now, shared))
    report(cell.other_read, now, shared);
  cell.write = now;
}

void Races::report(const Stamp& before, const Stamp& now, bool shared) {
  if (found_.size() == most_lines || !known_.insert({before.instruction, now.instruction}).second) return;
  found_.push_back(fmt::format("data race on {} memory: {}, and {} with no barrier between",
                               shared ? "shared" : "global", text(before), text(now)));
}

std::string Races::text(const Stamp& stamp) const {
  const auto after =
      std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& block) { return block.first_epoch > stamp.epoch; });
  return fmt::format("thread {} of {} {}{} at {}", stamp.thread, std::prev(after)->name,
                     atomic(stamp.access) ? "atomically " : "", writes(stamp.access) ? "writes" : "reads",
                     source_line(stamp.instruction));
}

}  // namespace kernels::simt
