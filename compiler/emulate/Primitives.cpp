/// \file The primitives of schedules/tensorcore/device/Primitives.h on the CPU. Fragments as in the PTX ISA,
/// "Warp Level Matrix Instructions"; products of warpgroups are in Warpgroup.cpp.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Primitives.h"
#include "compiler/emulate/Block.h"
#include <cmath>
#include <cstring>

namespace segc::emulate {
namespace {

float fromBits(uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, 4);
  return v;
}

uint32_t toBits(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, 4);
  return bits;
}

struct Bf16 {
  static constexpr int depth = 16;
  static float at(uint32_t word, int half) { return bf16ToFloat(uint16_t(word >> (16 * half))); }
};
struct F16 {
  static constexpr int depth = 16;
  static float at(uint32_t word, int half) { return f16ToFloat(uint16_t(word >> (16 * half))); }
};
/// The hardware reads the 19 upper bits.
struct Tf32 {
  static constexpr int depth = 8;
  static float at(uint32_t word, int) { return fromBits(word & ~uint32_t(0x1fff)); }
};

/// 16 x depth times depth x 8. Products are exact in double; the sum is rounded once, which the hardware does
/// not promise, but no test can tell f32 sums of 16 terms from it.
template <class Type> void multiply(Block &block, Block::Lane *lanes) {
  constexpr int depth = Type::depth, word = depth / 8; // elements in a register
  double a[16][depth], b[depth][8];
  for (int lane = 0; lane < 32; lane++) {
    const int group = lane / 4, in = lane % 4 * word;
    const auto *left = static_cast<const uint32_t *>(lanes[lane].a),
               *right = static_cast<const uint32_t *>(lanes[lane].b);
    for (int half = 0; half < word; half++) {
      for (int r = 0; r < 4; r++)
        a[group + r % 2 * 8][in + half + r / 2 * (depth / 2)] = Type::at(left[r], half);
      for (int r = 0; r < 2; r++)
        b[in + half + r * (depth / 2)][group] = Type::at(right[r], half);
    }
  }
  for (int lane = 0; lane < 32; lane++) {
    auto *sum = static_cast<float *>(lanes[lane].out);
    for (int e = 0; e < 4; e++) {
      const int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      double s = sum[e];
      for (int k = 0; k < depth; k++)
        s += a[row][k] * b[k][column];
      sum[e] = float(s);
    }
  }
  block.counts.mma++;
}

template <bool transposed> void loadMatrix(Block &block, Block::Lane *lanes) {
  uint16_t matrix[4][8][8];
  for (int lane = 0; lane < 32; lane++) {
    const int at = lanes[lane].number;
    block.require(block.shared().read(block.thread() / 32 * 32 + lane, at, 16));
    std::memcpy(matrix[lane / 8][lane % 8], block.shared().data(at), 16);
  }
  for (int phase = 0; phase < 4; phase++) {
    unsigned groups = 0;
    for (int row = 0; row < 8; row++)
      groups |= 1u << (lanes[phase * 8 + row].number / 16 % 8);
    block.counts.conflicts += groups != 0xff;
  }
  for (int lane = 0; lane < 32; lane++) {
    auto *to = static_cast<uint32_t *>(lanes[lane].out);
    for (int m = 0; m < 4; m++) {
      const int row = lane / 4, column = lane % 4 * 2;
      const uint16_t low = transposed ? matrix[m][column][row] : matrix[m][row][column];
      const uint16_t high = transposed ? matrix[m][column + 1][row] : matrix[m][row][column + 1];
      to[m] = low | uint32_t(high) << 16;
    }
  }
  block.counts.ldmatrix++;
}

void shuffle(Block &, Block::Lane *lanes) {
  std::array<unsigned, 32> values;
  for (int lane = 0; lane < 32; lane++)
    values[lane] = lanes[(lane ^ lanes[lane].number) & 31].value;
  for (int lane = 0; lane < 32; lane++)
    lanes[lane].value = values[lane];
}

/// Lanes bring the accumulators, both descriptors, n, and bits: 1 for f16, 2 and 4 for a and b transposed.
void multiplyAsync(Block &block, Block::Lane *lanes) {
  std::array<float *, 128> sums;
  for (size_t i = 0; i < sums.size(); i++) {
    sums[i] = static_cast<float *>(lanes[i].out);
    if (lanes[i].a != lanes[0].a || lanes[i].b != lanes[0].b)
      block.fail("the descriptors of a warpgroup's threads differ");
  }
  const unsigned bits = lanes[0].value;
  const Warpgroup::Matrix a = {reinterpret_cast<uint64_t>(lanes[0].a), (bits & 2) != 0},
                          b = {reinterpret_cast<uint64_t>(lanes[0].b), (bits & 4) != 0};
  block.require(block.group().issue(block.shared(), sums, a, b, lanes[0].number, (bits & 1) != 0));
  block.counts.wgmma++;
}

Block &block() { return Block::current(); }

// The primitives by the names and types of Primitives.h of the template.
int thread() { return block().thread(); }
int blockIndex() { return block().place()[0]; }
int phase() { return block().place()[1]; }
int part() { return block().place()[2]; }
void barrier() { block().barrier(); }
void mmaBf16(float *acc, const unsigned *a, const unsigned *b) {
  block().meet("mma", multiply<Bf16>, {acc, a, b, 0, 0});
}
void mmaF16(float *acc, const unsigned *a, const unsigned *b) {
  block().meet("mma", multiply<F16>, {acc, a, b, 0, 0});
}
void mmaTf32(float *acc, const unsigned *a, const unsigned *b) {
  block().meet("mma", multiply<Tf32>, {acc, a, b, 0, 0});
}
void ldmatrix(unsigned *to, int at) {
  block().meet("ldmatrix", loadMatrix<false>, {to, nullptr, nullptr, at, 0});
}
void ldmatrixTrans(unsigned *to, int at) {
  block().meet("ldmatrix.trans", loadMatrix<true>, {to, nullptr, nullptr, at, 0});
}
int sharedBase() { return int(kSharedBase); }
void fenceAsync() { block().shared().fenceAsync(thread()); }
void wgmma(float *acc, uint64_t a, uint64_t b, int n, int element, int transposeA, int transposeB) {
  const unsigned bits = (element == 1 ? 1 : 0) | (transposeA ? 2 : 0) | (transposeB ? 4 : 0);
  block().meetGroup("wgmma", multiplyAsync,
                    {acc, reinterpret_cast<const void *>(a), reinterpret_cast<const void *>(b), n, bits});
}
void wgmmaFence() {
  block().meetGroup("wgmma.fence", [](Block &b, Block::Lane *) { b.group().fence(); }, {});
}
void wgmmaCommit() {
  block().meetGroup("wgmma.commit_group", [](Block &b, Block::Lane *) { b.group().commit(); }, {});
}
void wgmmaWait(int pending) {
  block().meetGroup("wgmma.wait_group",
                    [](Block &b, Block::Lane *lanes) { b.group().wait(b.shared(), lanes[0].number); },
                    {nullptr, nullptr, nullptr, pending, 0});
}
unsigned shuffleXor(unsigned value, int mask) {
  return block().meet("shuffle", shuffle, {nullptr, nullptr, nullptr, mask, value}).value;
}
void copyAsync(int at, const void *from, int bytes) {
  if (bytes)
    block().require(block().global().read(from, 16));
  block().require(block().shared().copy(thread(), at, from, bytes));
  block().counts.copies++;
}
void commit() { block().shared().commit(thread()); }
void wait(int pending) { block().shared().wait(thread(), pending); }
void sharedStore8(int at, float a, float b) {
  block().require(block().shared().write(thread(), at, 8));
  const float v[] = {a, b};
  std::memcpy(block().shared().data(at), v, 8);
}
void sharedLoad16(float *to, int at) {
  block().require(block().shared().read(thread(), at, 16));
  std::memcpy(to, block().shared().data(at), 16);
}
unsigned sharedLoad4(int at) {
  block().require(block().shared().read(thread(), at, 4));
  unsigned v;
  std::memcpy(&v, block().shared().data(at), 4);
  return v;
}
float load4(const void *from) {
  block().require(block().global().read(from, 4));
  float v;
  std::memcpy(&v, from, 4);
  return v;
}
void load16(unsigned *to, const void *from) {
  block().require(block().global().read(from, 16));
  std::memcpy(to, from, 16);
}
void store(void *to, const void *from, size_t bytes) {
  block().require(block().global().write(to, bytes));
  std::memcpy(to, from, bytes);
}
void store16(void *to, const unsigned *from) { store(to, from, 16); }
void store8(void *to, unsigned low, unsigned high) {
  const unsigned v[] = {low, high};
  store(to, v, 8);
}
void store4(void *to, float value) { store(to, &value, 4); }
unsigned packBf16(float low, float high) { return floatToBf16(low) | unsigned(floatToBf16(high)) << 16; }
unsigned packF16(float low, float high) { return floatToF16(low) | unsigned(floatToF16(high)) << 16; }
float unpackF16(unsigned bits) { return f16ToFloat(uint16_t(bits)); }
/// To nearest, ties away from zero.
unsigned roundTf32(unsigned bits) {
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}
float exp2Approximation(float v) { return std::exp2(v); }

template <class F> void *address(F *function) { return reinterpret_cast<void *>(function); }

} // namespace

float bf16ToFloat(uint16_t bits) { return fromBits(uint32_t(bits) << 16); }

uint16_t floatToBf16(float v) {
  const uint32_t bits = toBits(v);
  return v != v ? uint16_t(0x7fff) : uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float f16ToFloat(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(float(mantissa), -24)
                                          : std::ldexp(float(1024 + mantissa), exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// Rounds to a multiple of the last place with nearbyint (ties to even); below 2^-14 that place is 2^-24.
uint16_t floatToF16(float v) {
  if (v != v)
    return 0x7fff;
  const uint16_t sign = toBits(v) >> 16 & 0x8000;
  const float magnitude = std::fabs(v);
  if (magnitude >= 65520.f)
    return sign | 0x7c00;
  const int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  const int places = int(std::nearbyint(std::ldexp(magnitude, 10 - exponent))); // 1024..2048, or less
  return magnitude < 0x1p-14f ? uint16_t(sign | places) : uint16_t(sign | ((exponent + 14) * 1024 + places));
}

const std::vector<std::pair<const char *, void *>> &primitives() {
  static const std::vector<std::pair<const char *, void *>> table = {
      {"segc_warp_thread", address(thread)},
      {"segc_warp_block", address(blockIndex)},
      {"segc_warp_phase", address(phase)},
      {"segc_warp_part", address(part)},
      {"segc_warp_barrier", address(barrier)},
      {"segc_warp_mma_bf16", address(mmaBf16)},
      {"segc_warp_mma_f16", address(mmaF16)},
      {"segc_warp_mma_tf32", address(mmaTf32)},
      {"segc_warp_ldmatrix", address(ldmatrix)},
      {"segc_warp_ldmatrix_trans", address(ldmatrixTrans)},
      {"segc_warp_shared_base", address(sharedBase)},
      {"segc_warp_fence_async", address(fenceAsync)},
      {"segc_warp_wgmma", address(wgmma)},
      {"segc_warp_wgmma_fence", address(wgmmaFence)},
      {"segc_warp_wgmma_commit", address(wgmmaCommit)},
      {"segc_warp_wgmma_wait", address(wgmmaWait)},
      {"segc_warp_cp_async16", address(copyAsync)},
      {"segc_warp_cp_async_commit", address(commit)},
      {"segc_warp_cp_async_wait", address(wait)},
      {"segc_warp_shuffle_xor", address(shuffleXor)},
      {"segc_warp_shared_store8", address(sharedStore8)},
      {"segc_warp_shared_load16", address(sharedLoad16)},
      {"segc_warp_shared_load4", address(sharedLoad4)},
      {"segc_warp_load4", address(load4)},
      {"segc_warp_load16", address(load16)},
      {"segc_warp_store16", address(store16)},
      {"segc_warp_store8", address(store8)},
      {"segc_warp_store4", address(store4)},
      {"segc_warp_pack_bf16", address(packBf16)},
      {"segc_warp_pack_f16", address(packF16)},
      {"segc_warp_unpack_f16", address(unpackF16)},
      {"segc_warp_round_tf32", address(roundTf32)},
      {"segc_warp_exp2", address(exp2Approximation)},
  };
  return table;
}

} // namespace segc::emulate
