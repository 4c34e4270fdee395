#include "kernels/onednn.h"

#include <dnnl.hpp>
#include <memory>

#include "kernels/check.h"
#include "kernels/parallel.h"

namespace kernels::onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// oneDNN 2 describes an operation in a `desc` before its primitive_desc, oneDNN 3 takes the same arguments at once.
template <typename Primitive, typename... Arguments>
auto describe(const Arguments&... arguments) {
  if constexpr (requires { typename Primitive::desc; })
    return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), user_scratchpad(), cpu());
  else
    return typename Primitive::primitive_desc(cpu(), arguments..., user_scratchpad());
}

/// The same for a gradient, which also wants the forward convolution.
template <typename Primitive, typename Forward, typename... Arguments>
auto describe_gradient(const Forward& forward, const Arguments&... arguments) {
  if constexpr (requires { typename Primitive::desc; })
    return
        typename Primitive::primitive_desc(typename Primitive::desc(arguments...), user_scratchpad(), cpu(), forward);
  else
    return typename Primitive::primitive_desc(cpu(), arguments..., forward, user_scratchpad());
}

struct Layouts {
  explicit Layouts(const ConvSize& s)
      : x({s.n, s.c, s.h, s.w}, memory::data_type::f32, Tag::nhwc),
        y({s.n, s.k, s.output(s.h), s.output(s.w)}, memory::data_type::f32, Tag::nhwc),
        weight({s.k, s.c, s.r, s.r}, memory::data_type::f32, Tag::any),
        plain_weight({s.k, s.c, s.r, s.r}, memory::data_type::f32, Tag::ohwi),
        strides{s.stride, s.stride},
        before{s.before, s.before},
        after{s.after, s.after} {}
  memory::desc x, y, weight, plain_weight;
  memory::dims strides, before, after;
};

dnnl::convolution_forward::primitive_desc describe_forward(const Layouts& at) {
  return describe<dnnl::convolution_forward>(dnnl::prop_kind::forward_training, algorithm::convolution_direct, at.x,
                                             at.weight, at.y, at.strides, at.before, at.after);
}

std::size_t round_up(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// One argument of the convolution: the caller's plain array, and oneDNN's own where the two differ.
class Argument {
 public:
  Argument(int name, const memory::desc& plain, const memory::desc& own)
      : name_(name), differs_(plain != own), plain_(plain, cpu(), nullptr), own_(own, cpu(), nullptr) {}
  int name() const { return name_; }
  bool differs() const { return differs_; }
  std::size_t own_bytes() const { return differs_ ? round_up(own_.get_desc().get_size()) : 0; }
  void place(float* plain, std::byte* own) {
    plain_.set_data_handle(plain);
    own_.set_data_handle(differs_ ? static_cast<void*>(own) : plain);
  }
  const memory& plain() const { return plain_; }
  const memory& own() const { return own_; }

 private:
  int name_;
  bool differs_;
  memory plain_, own_;
};

/// A convolution and the reorders around it. Only the weights are ever reordered: the second argument going forward and
/// for the data gradient, the result for the weight gradient.
class Convolution {
 public:
  Convolution(const dnnl::primitive& primitive, const memory::desc& scratchpad, Argument first, Argument second,
              Argument result, int threads)
      : primitive_(primitive),
        scratchpad_(scratchpad, cpu(), nullptr),
        first_(std::move(first)),
        second_(std::move(second)),
        result_(std::move(result)),
        threads_(threads) {
    if (second_.differs()) prepare_reorder(second_.plain(), second_.own());
    if (result_.differs()) prepare_reorder(result_.own(), result_.plain());
  }

  std::size_t scratch_bytes() const {
    const std::size_t reorder_bytes = reorder_ ? reorder_scratchpad_.get_desc().get_size() : 0;
    return second_.own_bytes() + result_.own_bytes() + std::max(scratchpad_.get_desc().get_size(), reorder_bytes);
  }

  void run(const float* first, const float* second, float* result, std::byte* scratch) {
    use_threads(threads_);
    std::byte* const own_result = scratch + second_.own_bytes();
    std::byte* const scratchpad = own_result + result_.own_bytes();
    first_.place(const_cast<float*>(first), nullptr);
    second_.place(const_cast<float*>(second), scratch);
    result_.place(result, own_result);
    scratchpad_.set_data_handle(scratchpad);
    if (second_.differs()) reorder(second_.plain(), second_.own(), scratchpad);
    primitive_.execute(stream_, {{first_.name(), first_.own()},
                                 {second_.name(), second_.own()},
                                 {result_.name(), result_.own()},
                                 {DNNL_ARG_SCRATCHPAD, scratchpad_}});
    if (result_.differs()) reorder(result_.own(), result_.plain(), scratchpad);
    stream_.wait();
  }

 private:
  void prepare_reorder(const memory& from, const memory& to) {
    const dnnl::reorder::primitive_desc description(from, to, user_scratchpad());
    reorder_ = dnnl::reorder(description);
    reorder_scratchpad_ = memory(description.scratchpad_desc(), cpu(), nullptr);
  }
  void reorder(const memory& from, const memory& to, std::byte* scratchpad) {
    reorder_scratchpad_.set_data_handle(scratchpad);
    reorder_.execute(stream_, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, reorder_scratchpad_}});
  }

  dnnl::stream stream_{cpu()};
  dnnl::primitive primitive_;
  dnnl::reorder reorder_;
  memory scratchpad_, reorder_scratchpad_;
  Argument first_, second_, result_;
  int threads_;
};

/// Builds a convolution with oneDNN set to `threads`; its refusal becomes one clear line.
template <typename Build>
ConvCall make(const char* what, const ConvSize& s, int threads, const Build& build) {
  use_threads(threads);  // primitives divide their work when they are made
  try {
    const std::shared_ptr<Convolution> made = build();
    return {
        [made](const float* a, const float* b, float* result, std::byte* scratch) { made->run(a, b, result, scratch); },
        made->scratch_bytes()};
  } catch (const dnnl::error& error) {
    throw InputError(
        fmt::format("oneDNN refuses the {} of a {}x{} convolution from {} to {} channels, {} images of {}x{} "
                    "({}): choose other channel counts or another batch size",
                    what, s.r, s.r, s.c, s.k, s.n, s.h, s.w, error.what()));
  }
}

}  // namespace

ConvCall convolution(const ConvSize& size, int threads) {
  return make("forward pass", size, threads, [&] {
    const Layouts at(size);
    const auto description = describe_forward(at);
    return std::make_shared<Convolution>(dnnl::convolution_forward(description), description.scratchpad_desc(),
                                         Argument(DNNL_ARG_SRC, at.x, at.x),
                                         Argument(DNNL_ARG_WEIGHTS, at.plain_weight, description.weights_desc()),
                                         Argument(DNNL_ARG_DST, at.y, at.y), threads);
  });
}

ConvCall convolution_data_gradient(const ConvSize& size, int threads) {
  return make("data gradient", size, threads, [&] {
    const Layouts at(size);
    const auto description = describe_gradient<dnnl::convolution_backward_data>(
        describe_forward(at), algorithm::convolution_direct, at.x, at.weight, at.y, at.strides, at.before, at.after);
    return std::make_shared<Convolution>(dnnl::convolution_backward_data(description), description.scratchpad_desc(),
                                         Argument(DNNL_ARG_DIFF_DST, at.y, at.y),
                                         Argument(DNNL_ARG_WEIGHTS, at.plain_weight, description.weights_desc()),
                                         Argument(DNNL_ARG_DIFF_SRC, at.x, at.x), threads);
  });
}

ConvCall convolution_weight_gradient(const ConvSize& size, int threads) {
  return make("weight gradient", size, threads, [&] {
    const Layouts at(size);
    const auto description = describe_gradient<dnnl::convolution_backward_weights>(
        describe_forward(at), algorithm::convolution_direct, at.x, at.weight, at.y, at.strides, at.before, at.after);
    return std::make_shared<Convolution>(
        dnnl::convolution_backward_weights(description), description.scratchpad_desc(),
        Argument(DNNL_ARG_SRC, at.x, at.x), Argument(DNNL_ARG_DIFF_DST, at.y, at.y),
        Argument(DNNL_ARG_DIFF_WEIGHTS, at.plain_weight, description.diff_weights_desc()), threads);
  });
}

void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const Matrix& a,
              const Matrix& b, float beta, float* result, std::int64_t result_stride) {
  const auto letter = [](const Matrix& m) { return m.transpose == Transpose::yes ? 'T' : 'N'; };
  const dnnl_status_t status = dnnl_sgemm(letter(a), letter(b), rows, columns, depth, alpha, a.data, a.stride, b.data,
                                          b.stride, beta, result, result_stride);
  ensure(status == dnnl_success, "oneDNN multiplies the matrices");
}

}  // namespace kernels::onednn
