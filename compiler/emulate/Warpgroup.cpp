/// \file wgmma.mma_async as the PTX ISA has it ("Asynchronous Warpgroup Level Matrix Multiply-Accumulate
/// Instructions"): descriptors, the swizzled layout, fragments, groups. Written from that text, not from the
/// template: a mistake in one of them shows.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Warpgroup.h"
#include "compiler/emulate/Memory.h"
#include "compiler/emulate/Primitives.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace segc::emulate {
namespace {

constexpr int kDepth = 16; ///< of the reduction
constexpr int kRows = 64;

uint64_t bits(uint64_t word, int last, int first) {
  return word >> first & ((uint64_t(1) << (last - first + 1)) - 1);
}

/// "Matrix Descriptor Format" and "Canonical Layouts": an operand with 128-byte swizzling, whose pattern
/// starts at multiples of 1024 bytes. Places of its chunks, or what is wrong.
std::string decode(uint64_t descriptor, bool isTransposed, int rows, std::vector<int> &chunks) {
  const uint64_t start = bits(descriptor, 13, 0) << 4, leading = bits(descriptor, 29, 16) << 4,
                 stride = bits(descriptor, 45, 32) << 4;
  if (bits(descriptor, 63, 62) != 1)
    return "a descriptor without 128-byte swizzling";
  if (bits(descriptor, 15, 14) || bits(descriptor, 31, 30) || bits(descriptor, 48, 46) ||
      bits(descriptor, 61, 52))
    return "a descriptor with reserved bits";
  if (!isTransposed && leading != 1 << 4)
    return "a descriptor whose leading dimension is not 1, as it is assumed to be where a K-major operand is "
           "swizzled";
  // The base offset is 0 where the pattern starts at a multiple of 1024 bytes: an operand's first row is then
  // the first of a pattern. Along the reduction it may begin inside of the row.
  if (bits(descriptor, 51, 49) || bits(start, 9, 7))
    return "a descriptor of an operand that does not begin at a multiple of 1024 bytes";
  // Transposed the 8 chunks of 64 rows are the 128 bytes, which they would leave from anywhere else.
  if (isTransposed && bits(start, 6, 4))
    return "a descriptor of a transposed operand that begins inside of 128 bytes";
  auto add = [&](uint64_t at) {
    at ^= bits(at, 9, 7) << 4; // Swizzle<3,4,3>: bits 4 to 6 by those three places above
    if (at < kSharedBase)
      return false;
    chunks.push_back(int(at - kSharedBase));
    return true;
  };
  bool isInside = true;
  if (isTransposed) // ((T,8,m),(8,k)) : ((1,T,LBO),(8T,SBO))
    for (int k = 0; k < kDepth; k++)
      for (int row = 0; row < rows; row += 8)
        isInside &= add(start + uint64_t(row / 8 % 8) * 16 + uint64_t(row / 64) * leading +
                        uint64_t(k % 8) * 128 + uint64_t(k / 8) * stride);
  else // ((8,m),(T,2k)) : ((8T,SBO),(1,T))
    for (int row = 0; row < rows; row++)
      for (int chunk = 0; chunk < 2; chunk++)
        isInside &= add(start + uint64_t(row % 8) * 128 + uint64_t(row / 8) * stride + uint64_t(chunk) * 16);
  return isInside ? "" : "a descriptor of an address below shared memory";
}

/// "Register Fragment Layout for accumulator matrix D": where thread t's accumulator i lies.
int rowOf(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8; }
int columnOf(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

} // namespace

std::string Warpgroup::issue(SharedMemory &memory, const std::array<float *, 128> &at, Matrix a, Matrix b,
                             int n, bool isF16) {
  if (n < 8 || n > 256 || n % 8)
    return "a matrix product of " + std::to_string(n) + " columns";
  Product product = {{{}, a.isTransposed}, {{}, b.isTransposed}, 0, isF16};
  if (std::string error = decode(a.descriptor, a.isTransposed, kRows, product.a.chunks); !error.empty())
    return error;
  if (std::string error = decode(b.descriptor, b.isTransposed, n, product.b.chunks); !error.empty())
    return error;
  for (const Operand *operand : {&product.a, &product.b})
    for (int chunk : operand->chunks)
      if (std::string error = memory.beginAsyncRead(chunk); !error.empty())
        return error;

  size_t &which = product.sums;
  while (which < busy.size() && !(busy[which].products && busy[which].at == at))
    which++;
  const bool isNew = which == busy.size();
  if (isNew) {
    if (!isFenced)
      return "a matrix product into registers that were used since wgmma.fence";
    const auto unused =
        std::find_if(busy.begin(), busy.end(), [](const Sums &sums) { return !sums.products; });
    which = size_t(unused - busy.begin());
    if (unused == busy.end())
      busy.emplace_back();
    busy[which] = {at, std::vector<double>(size_t(kRows * n)), n, 0};
  }
  Sums &sums = busy[which];
  if (sums.n != n)
    return "matrix products of different shapes in one accumulator";
  for (int thread = 0; thread < 128; thread++)
    for (int i = 0; i < n / 2; i++) {
      float &value = at[size_t(thread)][i];
      if (isNew)
        sums.values[size_t(rowOf(thread, i) * n + columnOf(thread, i))] = double(value);
      else if (!std::isnan(value))
        return "an accumulator is written while products into it are under way";
      value = NAN;
    }
  sums.products++;
  open.push_back(std::move(product));
  return "";
}

void Warpgroup::commit() {
  groups.push_back(std::move(open));
  open.clear();
}

void Warpgroup::wait(SharedMemory &memory, int pending) {
  for (; int(groups.size()) > pending; groups.pop_front())
    for (const Product &product : groups.front())
      finish(memory, product);
}

/// As for mma products are exact, and the sum of one instruction is rounded once.
void Warpgroup::finish(SharedMemory &memory, const Product &product) {
  Sums &sums = busy[product.sums];
  // Rows (columns of b) of 16 terms each.
  auto load = [&](const Operand &operand) {
    const size_t rows = operand.chunks.size() * 8 / kDepth;
    std::vector<double> values(rows * kDepth);
    size_t next = 0;
    for (int chunk : operand.chunks) {
      uint16_t halves[8];
      std::memcpy(halves, memory.data(chunk), sizeof halves);
      for (uint16_t half : halves) {
        const size_t at = operand.isTransposed ? next % rows * kDepth + next / rows : next;
        values[at] = double(product.isF16 ? f16ToFloat(half) : bf16ToFloat(half));
        next++;
      }
      memory.endAsyncRead(chunk);
    }
    return values;
  };
  const std::vector<double> a = load(product.a), b = load(product.b);
  for (int row = 0; row < kRows; row++)
    for (int column = 0; column < sums.n; column++) {
      double &sum = sums.values[size_t(row * sums.n + column)];
      for (int k = 0; k < kDepth; k++)
        sum += a[size_t(row * kDepth + k)] * b[size_t(column * kDepth + k)];
      sum = double(float(sum));
    }
  if (--sums.products)
    return;
  for (int thread = 0; thread < 128; thread++)
    for (int i = 0; i < sums.n / 2; i++)
      sums.at[size_t(thread)][i] =
          float(sums.values[size_t(rowOf(thread, i) * sums.n + columnOf(thread, i))]);
  isFenced = false; // the registers are the threads' again
}

} // namespace segc::emulate
