/// \file /proc, and loops of products and of moves.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Load.h"
#include "runtime/core/Cpu.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <limits>
#include <malloc.h>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace segc {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Ticks that all processors spent on anything but idling and waiting (proc(5), /proc/stat).
std::optional<uint64_t> busyTicks() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  uint64_t user, nice, system, idle, wait, irq, softirq, steal;
  if (file >> cpu >> user >> nice >> system >> idle >> wait >> irq >> softirq >> steal)
    return user + nice + system + irq + softirq + steal;
  return std::nullopt;
}

uint64_t ownTicks() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  double own = static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  return static_cast<uint64_t>(own * static_cast<double>(sysconf(_SC_CLK_TCK)));
}

constexpr int kChains = 8; // enough to hide the latency of an FMA on two ports

#if defined(__x86_64__)
/// Eight sums by name: an array would lie in memory.
#define SEGC_SPIN(Name, Features, Vector, Prefix)                                                            \
  __attribute__((target(Features))) float Name(int64_t count) {                                              \
    const Vector factor = Prefix##_set1_ps(0.999f), addend = Prefix##_set1_ps(1e-3f);                        \
    Vector a = addend, b = addend, c = addend, d = addend, e = addend, f = addend, g = addend, h = addend;   \
    for (int64_t i = 0; i < count; ++i) {                                                                    \
      a = Prefix##_fmadd_ps(a, factor, addend), b = Prefix##_fmadd_ps(b, factor, addend);                    \
      c = Prefix##_fmadd_ps(c, factor, addend), d = Prefix##_fmadd_ps(d, factor, addend);                    \
      e = Prefix##_fmadd_ps(e, factor, addend), f = Prefix##_fmadd_ps(f, factor, addend);                    \
      g = Prefix##_fmadd_ps(g, factor, addend), h = Prefix##_fmadd_ps(h, factor, addend);                    \
      asm volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h));             \
    }                                                                                                        \
    const Vector sum = Prefix##_add_ps(Prefix##_add_ps(Prefix##_add_ps(a, b), Prefix##_add_ps(c, d)),        \
                                       Prefix##_add_ps(Prefix##_add_ps(e, f), Prefix##_add_ps(g, h)));       \
    return Prefix##_cvtss_f32(sum);                                                                          \
  }
SEGC_SPIN(spin512, "avx512f", __m512, _mm512)
SEGC_SPIN(spin256, "avx2,fma", __m256, _mm256)
#undef SEGC_SPIN
/// As above. A dot product adds two products to each of 16 sums; on Zen 4 twelve hide its latency.
#define SEGC_TWELVE(Do) Do(0) Do(1) Do(2) Do(3) Do(4) Do(5) Do(6) Do(7) Do(8) Do(9) Do(10) Do(11)
constexpr int kDots = 12;
__attribute__((target("avx512f,avx512bf16"))) float spinDots(int64_t count) {
  const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3f), _mm512_set1_ps(1e-3f));
#define SEGC_DO(i) __m512 sum##i = _mm512_set1_ps(1e-3f);
  SEGC_TWELVE(SEGC_DO)
#undef SEGC_DO
  for (int64_t turn = 0; turn < count; ++turn) {
#define SEGC_DO(i)                                                                                           \
  sum##i = _mm512_dpbf16_ps(sum##i, pairs, pairs);                                                           \
  asm volatile("" : "+v"(sum##i));
    SEGC_TWELVE(SEGC_DO)
#undef SEGC_DO
  }
#define SEGC_DO(i) sum0 = _mm512_add_ps(sum0, sum##i);
  SEGC_TWELVE(SEGC_DO)
#undef SEGC_DO
  return _mm512_cvtss_f32(sum0);
}
#undef SEGC_TWELVE

/// Four tiles of 16 x 16 sums, each of 32 products a turn; that they are zeros saves nothing.
constexpr int kTiles = 4;
__attribute__((target("amx-tile,amx-bf16"))) float spinTiles(int64_t count) {
  struct alignas(64) {
    uint8_t palette = 1, startRow = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shapes;
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t turn = 0; turn < count; ++turn) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  alignas(64) float sums[256];
  _tile_stored(0, sums, 64);
  _tile_release();
  return sums[0];
}
/// to = from + 1: the addition keeps the compiler from calling memcpy, which passes by the caches.
#define SEGC_MOVE(Name, Features, Vector, Prefix)                                                            \
  __attribute__((target(Features))) void Name(const float *from, float *to, int64_t count) {                 \
    constexpr int64_t kStep = sizeof(Vector) / sizeof(float);                                                \
    const Vector one = Prefix##_set1_ps(1);                                                                  \
    for (int64_t i = 0; i + kStep <= count; i += kStep)                                                      \
      Prefix##_storeu_ps(to + i, Prefix##_add_ps(Prefix##_loadu_ps(from + i), one));                         \
  }
SEGC_MOVE(move512, "avx512f", __m512, _mm512)
SEGC_MOVE(move256, "avx2", __m256, _mm256)
#undef SEGC_MOVE
#endif

void movePortable(const float *from, float *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = from[i] + 1;
}

using Move = void (*)(const float *, float *, int64_t);
Move bestMove() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return move512;
  if (__builtin_cpu_supports("avx2"))
    return move256;
#endif
  return movePortable;
}

float spinPortable(int64_t count) {
  float sums[kChains];
  std::fill(sums, sums + kChains, 1e-3f);
  for (int64_t i = 0; i < count; ++i)
    for (float &sum : sums)
      sum = sum * 0.999f + 1e-3f;
  return std::max(sums[0], *std::max_element(sums, sums + kChains));
}

struct Spin {
  float (*run)(int64_t);
  double operations; ///< of one turn of its loop
  int64_t turns;     ///< of about half a millisecond: often undisturbed
};

Spin bestSpin(Products products) {
#if defined(__x86_64__)
  const uint32_t isa = products == Products::F32 ? 0 : rt::availableIsa();
  if (products == Products::Bf16Tiles && (isa & rt::kIsaAmx))
    return {spinTiles, 2.0 * 16 * 16 * 32 * kTiles, 20'000};
  if (products == Products::Bf16Dots && (isa & rt::kIsaAvx512Bf16))
    return {spinDots, 2.0 * 32 * kDots, 100'000};
  if (__builtin_cpu_supports("avx512f"))
    return {spin512, 2.0 * 16 * kChains, 200'000};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {spin256, 2.0 * 8 * kChains, 200'000};
#endif
  return {spinPortable, 2.0 * kChains, 200'000};
}

} // namespace

ForeignLoad::ForeignLoad() : others(busyTicks().value_or(0) - ownTicks()), start(seconds()) {}

std::optional<double> ForeignLoad::cores() const {
  constexpr double kLeast = 0.1; // seconds: ten ticks
  auto busy = busyTicks();
  double elapsed = seconds() - start;
  if (!busy || elapsed < kLeast)
    return std::nullopt;
  auto ticks = static_cast<double>(static_cast<int64_t>(*busy - ownTicks() - others));
  return std::max(0.0, ticks / static_cast<double>(sysconf(_SC_CLK_TCK)) / elapsed);
}

uint64_t residentBytes() {
  malloc_trim(0); // what is free would be used again unseen
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// The least time of `tries`, in seconds, in which `work(t)` is done by each of `threads` threads.
template <typename Work> static double leastTime(int threads, int tries, const Work &work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < tries; ++i) {
    double start = seconds();
    std::vector<std::thread> team;
    for (int t = 1; t < threads; ++t)
      try {
        team.emplace_back([&, t] { work(t); });
      } catch (const std::system_error &) { // no thread left: this one does it too, which takes longer
        work(t);
      }
    work(0);
    for (std::thread &member : team)
      member.join();
    best = std::min(best, seconds() - start);
  }
  return best;
}

Products productsOf(const std::string &isa, const std::string &precision) {
  return precision != "bf16"   ? Products::F32
         : isa == "amx"        ? Products::Bf16Tiles
         : isa == "avx512bf16" ? Products::Bf16Dots
                               : Products::F32;
}

double measurePeak(int threads, Products products) {
  constexpr int kTries = 50;
  const Spin spin = bestSpin(products);
  std::vector<float> results(threads);
  const double best = leastTime(threads, kTries, [&](int t) { results[t] = spin.run(spin.turns); });
  volatile float keep = *std::max_element(results.begin(), results.end()); // the loops must be run
  (void)keep;
  return 1e-9 * spin.operations * static_cast<double>(spin.turns) * threads / best;
}

double measureMemory(int threads, double bytes) {
  constexpr int kTries = 20;
  constexpr double kLeast = 0x1p24; // bytes that a thread moves: a millisecond, or several beyond the caches
  const auto count = static_cast<int64_t>(std::max(64.0, bytes / 2 / sizeof(float) / threads));
  const double moved = 2.0 * sizeof(float) * static_cast<double>(count);
  const int turns = static_cast<int>(std::ceil(kLeast / moved));
  const Move move = bestMove();
  std::vector<std::vector<float>> from(threads), to(threads);
  for (int t = 0; t < threads; ++t) {
    from[t].assign(count, 1.f);
    to[t].assign(count, 0.f);
  }
  const double best = leastTime(threads, kTries, [&](int t) {
    for (int i = 0; i < turns; ++i)
      move(from[t].data(), to[t].data(), count);
  });
  return 1e-9 * moved * turns * threads / best;
}

} // namespace segc
