// scoremle bench kernels: what each kernel of a training step moves and computes, and what a GPU needs for it.
#include "core/program/describe.h"
#include "kernels/floor.h"
#include "launch/bench.h"
#include "launch/record_table.h"
#include "launch/training_step.h"

namespace launch {
namespace {

using core::program::Op;
using core::program::Program;

struct Kernel {
  std::string name, shapes;
  double flops = 0, bytes = 0, floor = 0;  // of each, on the average
  double seconds = 0;                      // of all
  int count = 0;
};

std::string tensor_text(const kernels::Tensor& tensor) {
  return core::program::shape_text(tensor.shape) + (tensor.element == kernels::Element::bf16 ? " bf16" : "");
}

/// The first tensor that a record reads, and the first that it writes.
std::string shapes_of(Op op) {
  std::string from, to;
  kernels::for_each_operand(op, [&]<typename Operand>(const Operand& operand) {
    std::string& text = std::is_same_v<Operand, kernels::In> ? from : to;
    if (text.empty()) text = tensor_text(operand);
  });
  return fmt::format("{} -> {}", from, to);
}

/// Records that are alike are one kernel, in the order in which the first of them stand.
std::vector<Kernel> kernels_of(const Program& program, const std::vector<double>& seconds) {
  std::vector<Kernel> list;
  for (std::size_t i = 0; i < program.ops().size(); ++i) {
    const Op& op = program.ops()[i];
    const std::string name = kernels::name(op), shapes = shapes_of(op);
    const double flops = kernels::flops(op);  // tells 3x3 from 1x1
    auto found = std::ranges::find_if(
        list, [&](const Kernel& k) { return k.name == name && k.shapes == shapes && k.flops == flops; });
    if (found == list.end()) found = list.insert(list.end(), Kernel{.name = name, .shapes = shapes, .flops = flops});
    found->bytes += (kernels::operand_bytes(op) - found->bytes) / ++found->count;
    found->floor += (kernels::floor_seconds(op, kernels::h100) - found->floor) / found->count;
    if (!seconds.empty()) found->seconds += seconds[i];
  }
  return list;
}

}  // namespace

int bench_kernels(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  const auto device = open_device(flags.device, config.training().threads(), session.communicator());
  std::vector<double> seconds;
  Program program = core::objective::record_training(config).program;
  if (device->residence() == kernels::Residence::device) {
    TrainingStep step(config, device);
    step.run_micro_batch();
    seconds = record_seconds(step.executor(), flags.runs);
    program = step.program();
  } else if (config.training().activations() == core::config::BFLOAT16) {
    program = core::program::stored(std::move(program), core::program::Storage::bf16);
  }
  const std::vector<Kernel> all = kernels_of(program, seconds);
  double floor = 0, time = 0;
  fmt::print("floor: of an H100, {:.0f} TFLOP/s or {:.1f} TB/s; bytes: every operand once\n\n",
             1e-12 * kernels::h100.flops_per_second, 1e-12 * kernels::h100.bytes_per_second);
  fmt::print("{:<24} {:>5} {:>10} {:>9} {:>9}{}  {}\n", "kernel", "count", "MB", "GFLOP", "floor us",
             seconds.empty() ? "" : "        us  of roof", "reads -> writes");
  for (const Kernel& k : all) {
    const double each = k.seconds / k.count;
    fmt::print("{:<24} {:>5} {:>10.3f} {:>9.3f} {:>9.2f}{}  {}\n", k.name, k.count, 1e-6 * k.bytes, 1e-9 * k.flops,
               1e6 * k.floor,
               seconds.empty() ? "" : fmt::format(" {:>9.2f} {:>7.1f}%", 1e6 * each, 100 * k.floor / each), k.shapes);
    floor += k.count * k.floor;
    time += k.seconds;
  }
  fmt::print("\n{} kernels, {} records: floor {:.3f} ms{}\n", all.size(), program.ops().size(), 1e3 * floor,
             seconds.empty() ? "; times need --device cuda"
                             : fmt::format(", {:.3f} ms, {:.1f}% of the roof", 1e3 * time, 100 * floor / time));
  return 0;
}

}  // namespace launch
