#include "kernels/simt/block.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "kernels/simt/indices.h"

namespace kernels::simt {
namespace {

constexpr int poison = 0xff;  // a NaN in every floating-point type, -1 in every integer
constexpr std::size_t most_static_shared = 48 << 10;

}  // namespace

Block::Block(const Launch& launch, Schedule& schedule, Fibres& fibres, Races& races)
    : launch_(launch), schedule_(schedule), fibres_(fibres), races_(races) {
  const auto [x, y, z] = launch.block;
  threads_.resize(std::size_t{x} * y * z);
  for (unsigned i = 0; i < threads_.size(); ++i) {
    threads_[i].number = i;
    threads_[i].index = {i % x, i / x % y, i / (x * y)};
  }
  for (std::size_t first = 0; first < threads_.size(); first += 32)
    warps_.emplace_back(std::span(threads_).subspan(first, std::min<std::size_t>(32, threads_.size() - first)));
  if (launch.shared_bytes > 0)
    dynamic_shared_.reset(static_cast<std::byte*>(::operator new(launch.shared_bytes, std::align_val_t(128))));
  emulated::blockDim = launch.block;
  emulated::gridDim = launch.grid;
  running = this;
}

Block::~Block() {
  running = nullptr;
  races_.leave();
  if (exited_ < threads_.size()) fibres_.reset();  // a failure left threads in the middle of the kernel
}

std::string Block::name() const {
  return fmt::format("block ({},{},{})", index_.x, index_.y, index_.z);
}

void Block::begin(emulated::uint3 index) {
  index_ = emulated::blockIdx = index;
  for (Thread& thread : threads_) {
    thread.state = Thread::State::unstarted;
    thread.copies.reset();
  }
  for (Warp& warp : warps_) warp.reset();
  starts_ = schedule_.starts(threads_.size());
  started_ = exited_ = at_barrier_ = 0;
  static_shared_.clear();
  races_.begin_block(name());
  if (dynamic_shared_) {
    std::memset(dynamic_shared_.get(), poison, launch_.shared_bytes);
    races_.add_shared({dynamic_shared_.get(), launch_.shared_bytes});
  }
}

void Block::run(emulated::uint3 index) {
  begin(index);
  while (exited_ < threads_.size()) {
    Thread* const next = choose();
    if (next == nullptr) report_deadlock();
    if (next->state == Thread::State::unstarted) next->fibre = fibres_.take();
    bind(*next);
    next->fibre->resume();
    races_.leave();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  if (!races_.found().empty()) throw Error(fmt::format("{}", fmt::join(races_.found(), "\n")));
}

Thread* Block::choose() {
  const bool may_start = started_ < threads_.size();
  if (!ready_.empty() && !(may_start && schedule_.coin())) {
    Thread* const next = ready_.front();
    ready_.pop_front();
    return next;
  }
  return may_start ? &threads_[starts_[started_++]] : nullptr;
}

void Block::bind(Thread& thread) {
  current_ = &thread;
  thread.state = Thread::State::running;
  emulated::threadIdx = thread.index;
  races_.enter(thread.number);
}

void run_threads() {
  for (;;) {
    Block& block = *running;
    Fibre* const fibre = block.current_->fibre;
    try {
      for (;;) {
        block.launch_.body();
        block.exit_current();
        // A thread that did not wait leaves its stack to the next one, without a switch.
        if (block.schedule_.order() == Order::random || !block.ready_.empty()) break;
        Thread* const next = block.choose();
        if (next == nullptr) break;
        next->fibre = fibre;
        block.bind(*next);
      }
      block.fibres_.give_back(fibre);
    } catch (const Error& error) {
      block.failure_ = std::make_exception_ptr(
          Error(fmt::format("{} (thread {} of {})", error.what(), block.current_->number, block.name())));
    } catch (...) {
      block.failure_ = std::current_exception();
    }
    fibre->pause();
  }
}

void Block::exit_current() {
  races_.leave();
  current_->state = Thread::State::exited;
  ++exited_;
  warps_[current_->number / 32].exit(*current_);
  open_barrier_if_complete();
}

void Block::release(Thread& thread) {
  thread.state = Thread::State::running;
  ready_.push_back(&thread);
}

int Block::wait_for_all(bool predicate, const Place& place) {
  races_.leave();
  current_->place = place;
  current_->predicate = predicate;
  current_->state = Thread::State::at_barrier;
  ++at_barrier_;
  open_barrier_if_complete();
  current_->fibre->pause();
  return votes_;
}

void Block::open_barrier_if_complete() {
  if (at_barrier_ == 0 || at_barrier_ + exited_ < threads_.size()) return;
  const auto at = [](Thread::State state) { return [state](const Thread& t) { return t.state == state; }; };
  const Thread& first = *std::find_if(threads_.begin(), threads_.end(), at(Thread::State::at_barrier));
  if (exited_ > 0) {
    const Thread& gone = *std::find_if(threads_.begin(), threads_.end(), at(Thread::State::exited));
    throw Error(fmt::format("divergent __syncthreads: thread {} waits at {}, but thread {}{} exited", first.number,
                            text(first.place), gone.number,
                            exited_ > 1 ? fmt::format(" and {} more", exited_ - 1) : ""));
  }
  votes_ = 0;
  for (const Thread& thread : threads_) {
    if (!same(thread.place, first.place))
      throw Error(fmt::format("divergent __syncthreads: thread {} waits at {}, thread {} at {}", first.number,
                              text(first.place), thread.number, text(thread.place)));
    votes_ += thread.predicate;
  }
  at_barrier_ = 0;
  races_.pass_barrier();
  for (std::size_t number : starts_) release(threads_[number]);
  schedule_.shuffle(ready_);
}

void Block::meet(unsigned mask, Collective collective, void* argument, const Place& place) {
  races_.leave();
  Thread& me = *current_;
  me.place = place;
  me.mask = mask;
  me.collective = collective;
  me.state = Thread::State::in_collective;
  const unsigned warp = me.number / 32, met = warps_[warp].arrive(me, argument);
  if (collective == nullptr && met == ~0u) races_.pass_warp_barrier(warp);
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((met >> lane & 1) != 0) release(threads_[warp * 32 + lane]);
  if (met != 0) schedule_.shuffle(ready_);
  me.fibre->pause();
}

void Block::declare_shared(void* begin, std::size_t bytes) {
  const std::span<std::byte> array(static_cast<std::byte*>(begin), bytes);
  std::size_t total = bytes;
  for (const auto& known : static_shared_) {
    if (known.data() == array.data()) return;
    total += known.size();
  }
  if (total > most_static_shared)
    throw Error(fmt::format("{} bytes of static shared memory, of at most {}", total, most_static_shared));
  static_shared_.push_back(array);
  races_.add_shared(array);
  std::memset(begin, poison, bytes);
}

void* Block::dynamic_shared() {
  if (!dynamic_shared_) throw Error("the kernel uses dynamic shared memory and was launched with 0 bytes of it");
  return dynamic_shared_.get();
}

void Block::report_deadlock() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (const Thread& thread : threads_) {
    const bool exited = thread.state == Thread::State::exited, barrier = thread.state == Thread::State::at_barrier;
    groups[exited    ? "exited"
           : barrier ? "in __syncthreads at " + text(thread.place)
                     : "in a warp's call at " + text(thread.place)]
        .push_back(thread.number);
  }
  std::string description;
  for (const auto& [where, numbers] : groups)
    description += fmt::format("{} {} threads, the first of them {}, {}", description.empty() ? "" : ";",
                               numbers.size(), numbers[0], where);
  throw Error(fmt::format("deadlock:{} ({})", description, name()));
}

}  // namespace kernels::simt
