#include "core/program/exchange.h"

#include <map>

namespace core::program {

void insert_exchanges(Program& program, std::span<const std::vector<Tensor>> buckets) {
  std::map<std::int32_t, std::size_t> last_write;  // of each gradient, by tensor id
  for (std::size_t i = 0; i < program.ops().size(); ++i) {
    Op op = program.ops()[i];
    kernels::for_each_operand(op, [&](const Tensor& operand) {
      if (program.info(operand).role == Role::gradient) last_write[operand.id] = i;
    });
  }
  std::map<std::size_t, std::vector<Op>> after;
  for (const auto& [tensor, record] : last_write) {
    after[record] = {
        kernels::Exchange{.topic = -1, .data = program.tensors()[static_cast<std::size_t>(tensor)].tensor}};
  }
  for (std::size_t k = 0; k < buckets.size(); ++k) {
    std::size_t complete = 0;
    for (const Tensor& gradient : buckets[k]) complete = std::max(complete, last_write.at(gradient.id));
    after[complete].push_back(kernels::Exchange{.topic = static_cast<int>(k), .data = buckets[k].front()});
  }
  after[program.ops().size() - 1].push_back(
      kernels::Exchange{.topic = static_cast<int>(buckets.size()), .data = buckets.back().front()});
  program.insert(after);
}

}  // namespace core::program
