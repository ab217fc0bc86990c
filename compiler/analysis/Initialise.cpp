/// \file Initial weights from a counter-based generator.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/Initialise.h"
#include "dialects/hourglass/Hourglass.h"
#include <cmath>

namespace segc {

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

namespace {
class Generator {
public:
  Generator(llvm::StringRef name, uint64_t seed) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (unsigned char byte : name.bytes())
      hash = (hash ^ byte) * 0x100000001b3u;
    base = mix(hash ^ mix(seed));
  }
  double uniform(uint64_t i) const { return static_cast<double>(word(i) >> 11) * 0x1p-53; }
  double normal(uint64_t i) const {
    constexpr int64_t kField = (1 << 21) - 1;
    int64_t sum = 6 - 6 * (kField + 1);
    for (uint64_t k = 4 * i; k < 4 * i + 4; ++k)
      for (int shift : {1, 22, 43})
        sum += static_cast<int64_t>(word(k) >> shift) & kField;
    double r = static_cast<double>(sum) * 0x1p-23, square = r * r, value = 0.029899776;
    for (double coefficient : {0.008355968, 0.076542912, 0.252408784, 3.949846138})
      value = value * square + coefficient;
    return value * r;
  }

private:
  uint64_t word(uint64_t k) const { return mix(base + (k + 1) * 0x9e3779b97f4a7c15u); }
  uint64_t base;
};
} // namespace

/// Calls `at(element offset of the filter)` for each filter on the channel diagonal.
template <typename AtT> static void forEachDiagonal(llvm::ArrayRef<int64_t> extents, int64_t groups, AtT at) {
  int64_t perGroup = extents[0] / groups;
  for (int64_t a = 0; a < extents[0]; ++a)
    if (a % perGroup < extents[1])
      at((a * extents[1] + a % perGroup) * extents[2] * extents[3]);
}

/// The triangle filter over k taps.
static std::vector<double> triangle(int64_t k) {
  double f = static_cast<double>((k + 1) / 2), centre = k % 2 ? f - 1 : f - 0.5;
  std::vector<double> taps;
  for (int64_t i = 0; i < k; ++i)
    taps.push_back(1 - std::fabs(static_cast<double>(i) - centre) / f);
  return taps;
}

/// The number behind "normal:" or "constant:".
static bool parameter(llvm::StringRef init, llvm::StringRef word, double &value) {
  return init.consume_front(word) && init.consume_front(":") && !init.getAsDouble(value) &&
         std::isfinite(value);
}

llvm::Expected<std::vector<float>> initialValues(llvm::StringRef name, llvm::ArrayRef<int64_t> extents,
                                                 llvm::StringRef init, uint64_t seed, int64_t groups) {
  auto fail = [&](const llvm::Twine &why) {
    return llvm::createStringError(llvm::Twine("tensor '") + name + "': init '" + init + "' " + why);
  };
  int64_t count = 1;
  for (int64_t extent : extents)
    if (extent < 1 || __builtin_mul_overflow(count, extent, &count) || count > INT32_MAX)
      return fail("needs extents from 1 on and at most 2^31 - 1 elements");
  if (groups < 1 || (!extents.empty() && extents[0] % groups))
    return fail("needs groups that divide the first extent");

  std::vector<float> values(count);
  auto fill = [&](auto function) {
    for (int64_t i = 0; i < count; ++i)
      values[i] = static_cast<float>(function(i));
  };
  Generator random(name, seed);
  double number = init == "one" ? 1 : 0;
  if (init == "zero" || init == "one" || parameter(init, "constant", number)) {
    fill([&](int64_t) { return number; });
  } else if (parameter(init, "normal", number) && number >= 0) {
    fill([&](int64_t i) { return number * random.normal(i); });
  } else if (init == "he" || init == "xavier") {
    if (extents.size() < 2)
      return fail("needs a tensor of rank 2 or more");
    double fanIn = static_cast<double>(count / extents[0]), fanOut = static_cast<double>(count / extents[1]);
    double deviation = std::sqrt(2 / fanIn), bound = std::sqrt(6 / (fanIn + fanOut));
    if (init == "he")
      fill([&](int64_t i) { return deviation * random.normal(i); });
    else
      fill([&](int64_t i) { return bound * (2 * random.uniform(i) - 1); });
  } else if (init == "bilinear" || init == "identity") {
    if (extents.size() != 4)
      return fail("needs a tensor of rank 4");
    int64_t height = extents[2], width = extents[3];
    std::vector<double> rows = triangle(height), columns = triangle(width);
    forEachDiagonal(extents, groups, [&](int64_t filter) {
      if (init == "identity")
        values[filter + (height - 1) / 2 * width + (width - 1) / 2] = 1;
      else
        for (int64_t i = 0; i < height; ++i)
          for (int64_t j = 0; j < width; ++j)
            values[filter + i * width + j] = static_cast<float>(rows[i] * columns[j]);
    });
  } else {
    return fail("is unknown; known are he, xavier, zero, one, bilinear, identity, normal:s, constant:v");
  }
  return values;
}

llvm::Expected<std::vector<float>> initialValues(hg::WeightOp weight, uint64_t seed) {
  int64_t groups = 1;
  for (mlir::Operation *user : weight->getUsers()) {
    if (auto conv = llvm::dyn_cast<hg::ConvOp>(user))
      groups = conv.getWeight() == weight.getValue() ? conv.getGroups() : groups;
    else if (auto deconv = llvm::dyn_cast<hg::DeconvOp>(user))
      groups = deconv.getWeight() == weight.getValue() ? deconv.getGroups() : groups;
  }
  return initialValues(weight.getName(), weight.storedShape(), weight.getInit(), seed, groups);
}

} // namespace segc
