/// \file Which tensors a problem has, and which problems make sense.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelTensors.h"
#include "runtime/core/Allocation.h"
#include "runtime/core/Phases.h"
#include "runtime/files/Numbers.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <unistd.h>

namespace segc {

using schedules::Epilogue;
using schedules::KernelSpec;

namespace {

constexpr size_t kSlack = 64 * 8;  ///< bytes behind the last element: vectors are read to a multiple of 64
constexpr int kVectorPadding = 64; ///< elements
constexpr int kMostBands = 32;     ///< of channel_sums

constexpr halide_type_t kFloat(halide_type_float, 32), kHalf(halide_type_float, 16),
    kBfloat(halide_type_bfloat, 16), kDouble(halide_type_float, 64), kByte(halide_type_uint, 8),
    kInt(halide_type_int, 32);

/// What is wrong with a problem's fields; the parser only knows which there must be.
std::string whyNot(const KernelSpec &s) {
  for (const char *name : {"c", "k", "r", "s", "d", "g", "in", "out", "dy"})
    if (s.fields.count(name) && std::min(s.get(name), s.fields.at(name).back()) < 1)
      return std::string("field '") + name + "' must be at least 1";
  const int c = s.get("c"), k = s.get("k") ? s.get("k") : c, g = std::max(s.get("g"), 1);
  if (c % g || k % g)
    return "the groups g" + std::to_string(g) + " do not divide the channels";
  const int result = s.reduction() == "argmax" || s.op == "argmax" ? 1 : k;
  const std::pair<const char *, int> strides[] = {
      {"in", c}, {"out", s.op == "conv_wgrad" ? 0 : result}, {"dy", k}, {"other", c}, {"idx", c}};
  for (const auto &[name, least] : strides)
    if (s.get(name) && s.get(name) < least)
      return std::string("the pixel stride ") + name + std::to_string(s.get(name)) +
             " is below the channels of a pixel: it must be at least " + std::to_string(least);
  for (const Epilogue &step : s.epilogues)
    if (step.isTensor() && step.stride && step.stride < k)
      return "the pixel stride of '+" + step.op + "' must be at least " + std::to_string(k);
  return "";
}

} // namespace

std::string KernelExtents::print() const {
  return std::to_string(h) + "x" + std::to_string(w) + (n > 1 ? "x" + std::to_string(n) : "");
}

std::optional<KernelExtents> KernelExtents::parse(const std::string &text) {
  KernelExtents result;
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(text).split(parts, 'x');
  int64_t *const to[] = {&result.h, &result.w, &result.n};
  if (parts.size() < 2 || parts.size() > 3)
    return std::nullopt;
  for (size_t i = 0; i < parts.size(); ++i)
    if (parts[i].getAsInteger(10, *to[i]) || *to[i] < 1 || *to[i] > 65535)
      return std::nullopt;
  return result;
}

/// Writes the descriptor; the elements from the first to behind the last one.
int64_t BenchTensor::describe(halide_type_t type, const std::vector<int> &extents, int pixel) {
  int64_t stride = 1;
  for (size_t d = 0; d < extents.size(); ++d) {
    dims[d] = halide_dimension_t(0, extents[d], int32_t(stride));
    stride = d == 0 && pixel ? pixel : stride * extents[d];
  }
  buffer.dimensions = int32_t(extents.size());
  buffer.type = type;
  buffer.dim = dims.data();
  return stride;
}

BenchTensor::BenchTensor(halide_type_t type, const std::vector<int> &extents, int pixel) {
  const int64_t count = describe(type, extents, pixel);
  mapped = size_t(count) * size_t(type.bytes()) + kSlack;
  memory = rt::mapZeros(mapped);
  if (!memory)
    throw std::bad_alloc();
  buffer.host = reinterpret_cast<uint8_t *>(memory);
}

BenchTensor::~BenchTensor() { rt::unmapZeros(memory, mapped); }

BenchTensor::BenchTensor(const std::vector<int> &extents, const BenchTensor &inside) {
  describe(inside.buffer.type, extents, 0);
  buffer.host = inside.buffer.host;
}

int64_t BenchTensor::elements() const {
  int64_t count = 1;
  for (int d = 0; d < buffer.dimensions; ++d)
    count *= buffer.dim[d].stride || d == 0 ? buffer.dim[d].extent : 1;
  return count;
}

std::vector<int> BenchTensor::extents() const {
  std::vector<int> result;
  for (int d = 0; d < buffer.dimensions; ++d)
    result.push_back(buffer.dim[d].extent);
  return result;
}

void BenchTensor::randomise(unsigned seed) {
  std::mt19937 random(seed);
  const files::DType dtype = buffer.type == kFloat    ? files::DType::F32
                             : buffer.type == kBfloat ? files::DType::BF16
                                                      : files::DType::F16;
  const size_t count = (mapped - kSlack) / size_t(buffer.type.bytes());
  for (size_t i = 0; i < count; ++i)
    files::encode(dtype, double(random() >> 8) * 0x1p-23 - 1, buffer.host + i * size_t(buffer.type.bytes()));
}

void BenchTensor::fill(uint8_t byte) { std::memset(memory, byte, mapped); }

void BenchTensor::repeat(bool perImage) {
  for (int d = 1; d < buffer.dimensions - perImage; ++d)
    dims[d].stride = 0;
}

void BenchTensor::makePlanar() {
  dims[1].stride = 1;
  dims[2].stride = dims[1].extent;
  dims[0].stride = dims[2].stride * dims[2].extent;
}

double KernelTensors::bytes() const {
  double sum = 0;
  for (const auto *list : {&operands, &results})
    for (const BenchTensor *tensor : *list)
      sum += tensor->bytes();
  return sum;
}

/// Adds a problem's tensors one by one; keeps account of their size before it takes any memory.
class KernelTensors::Maker {
public:
  Maker(const KernelSpec &spec, const KernelExtents &e, KernelTensors &to) : s(spec), e(e), to(to) {}

  /// Empty, or what is wrong.
  std::string make() {
    for (bool counting : {true, false}) {
      isCounting = counting;
      addOperands();
      addEpilogues();
      addResults();
      if (std::string wrong = tooLarge(); !wrong.empty())
        return wrong;
    }
    return "";
  }

private:
  std::string tooLarge() const {
    const double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
    if (largest >= 0x1p31)
      return "a tensor of the extents " + e.print() + " has more than 2^31 elements: take smaller -extents";
    return bytes > memory / 4 ? "the tensors of the extents " + e.print() +
                                    " take more than a quarter of the "
                                    "machine's memory: take smaller -extents"
                              : "";
  }
  BenchTensor *add(halide_type_t type, std::vector<int64_t> extents, int64_t pixel = 0) {
    double elements = 1;
    for (size_t d = 0; d < extents.size(); ++d)
      elements *= double(d == 0 && pixel ? pixel : extents[d]);
    if (isCounting) {
      largest = std::max(largest, elements);
      bytes += elements * type.bytes();
      return nullptr;
    }
    BenchTensor &tensor = to.storage.emplace_back(type, std::vector<int>(extents.begin(), extents.end()),
                                                  static_cast<int>(pixel));
    if (type == kFloat || type == stored())
      tensor.randomise(unsigned(to.storage.size()));
    return &tensor;
  }
  /// Of an activation's elements; weights and vectors are f32.
  halide_type_t stored() const { return s.dtype == "bf16" ? kBfloat : s.dtype == "f16" ? kHalf : kFloat; }
  BenchTensor *operand(std::vector<int64_t> extents, int64_t pixel = 0) {
    return operand(stored(), std::move(extents), pixel);
  }
  BenchTensor *operand(halide_type_t type, std::vector<int64_t> extents, int64_t pixel = 0) {
    BenchTensor *tensor = add(type, std::move(extents), pixel);
    if (tensor)
      to.operands.push_back(tensor);
    return tensor;
  }
  void filter(std::vector<int64_t> extents) {
    if (operand(kFloat, std::move(extents)))
      to.filters.push_back(to.operands.size() - 1);
  }
  void vector(int channels) {
    BenchTensor *tensor =
        operand(kFloat, {(channels + kVectorPadding - 1) / kVectorPadding * kVectorPadding});
    if (tensor)
      std::fill(reinterpret_cast<float *>(tensor->buffer.host) + channels,
                reinterpret_cast<float *>(tensor->buffer.host) + tensor->buffer.dim[0].extent, 0.f);
  }
  /// Extent of an operand that `out` windows along an axis (0 height, 1 width) read.
  int64_t window(int64_t out, int axis) const {
    const int dilation = s.fields.count("d") ? s.get("d", axis) : 1;
    return std::max<int64_t>(1, (out - 1) * s.get("s", axis) + int64_t(s.get("r", axis) - 1) * dilation + 1 -
                                    s.get("after", axis));
  }

  void addOperands() {
    const int c = s.get("c"), k = s.get("k"), in = s.get("in"), g = std::max(s.get("g"), 1);
    if (s.fields.count("r"))
      operand({c, window(e.w, 1), window(e.h, 0), e.n}, in);
    else if (s.op == "upsample") // half the extents: what a decoder does
      operand({c, (e.w + 1) / 2, (e.h + 1) / 2, e.n}, in);
    else if (s.op == "export_upsample") // what stands behind one that ends early
      operand({c, (e.w + 7) / 8, (e.h + 7) / 8, e.n}, in);
    else
      operand({c, e.w, e.h, e.n}, in);
    if (s.op == "conv")
      filter({s.get("r", 1), s.get("r"), c / g, k});
    if (s.op == "separable") {
      filter({s.get("r", 1), s.get("r"), 1, c});
      vector(c);
      filter({1, 1, c, k});
    }
    if (s.word("read") == "scaled")
      if (BenchTensor *scale = operand({c, 1, 1, e.n}))
        scale->repeat(true);
    if (s.op == "conv_wgrad")
      operand({k, e.w, e.h, e.n}, s.get("dy"));
    if (s.get("other"))
      operand({c, e.w, e.h, e.n}, s.get("other"));
  }
  void addEpilogues() {
    const int channels = s.get("k") ? s.get("k") : s.get("c");
    for (const Epilogue &step : s.epilogues)
      for (char kind : step.signature()) {
        if (kind == 'v')
          vector(channels);
        else if (step.stride)
          operand({channels, e.w, e.h, e.n}, step.stride);
        else if (BenchTensor *pixel = operand({channels, e.w, e.h, e.n}))
          pixel->repeat(false);
      }
  }
  void addResults() {
    auto result = [&](halide_type_t type, std::vector<int64_t> extents, int64_t pixel = 0) {
      BenchTensor *tensor = add(type, std::move(extents), pixel);
      if (tensor)
        to.results.push_back(tensor);
      return tensor;
    };
    const int c = s.get("c"), channels = s.get("k") ? s.get("k") : c;
    if (s.op == "conv_wgrad") {
      result(kFloat, {s.get("r", 1), s.get("r"), c / s.get("g"), channels});
      return;
    }
    if (s.op == "channel_sums") {
      const std::string kind = s.word("kind");
      const int columns = kind == "stats" || kind == "product" ? 3 : 1;
      result(kDouble, {c, columns, std::min<int64_t>(e.h, kMostBands), e.n});
      return;
    }
    if (s.op == "export_upsample") {
      if (BenchTensor *planes = result(kFloat, {c, e.w, e.h, e.n}))
        planes->makePlanar();
      return;
    }
    const bool isClass = s.op == "argmax" || s.reduction() == "argmax";
    result(isClass ? kInt : stored(), {isClass ? 1 : channels, e.w, e.h, e.n}, s.get("out"));
    if (s.get("idx"))
      result(kByte, {c, e.w, e.h, e.n}, s.get("idx"));
  }

  const KernelSpec &s;
  const KernelExtents &e;
  KernelTensors &to;
  bool isCounting = true;
  double largest = 0, bytes = 0;
};

std::variant<std::unique_ptr<KernelTensors>, std::string> KernelTensors::make(const KernelSpec &spec,
                                                                              const KernelExtents &extents) {
  if (std::string wrong = whyNot(spec); !wrong.empty())
    return "kernel problem '" + spec.print() + "': " + wrong;
  auto tensors = std::make_unique<KernelTensors>();
  if (std::string wrong = Maker(spec, extents, *tensors).make(); !wrong.empty())
    return "kernel problem '" + spec.print() + "': " + wrong;
  return tensors;
}

PhasedBuffer::PhasedBuffer(const halide_buffer_t &pixels, const std::array<int, 2> &phases) : buffer(pixels) {
  std::copy_n(pixels.dim, 4, dims.begin());
  rt::splitPhases(dims.data(), phases[1], phases[0]);
  buffer.dim = dims.data();
  buffer.dimensions = 6;
}

} // namespace segc
