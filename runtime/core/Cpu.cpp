/// \file Processor features by CPUID, with the operating system's part by XGETBV.
///
/// Bits: Intel SDM volume 2A, CPUID; volume 1, 13.3 (XCR0: bits 1, 2 SSE and AVX state, 5 to 7 AVX-512
/// state, 17 and 18 AMX state). Linux gives the registers of AMX to processes that ask for them
/// (Documentation/arch/x86/xstate.rst).
// SPDX-License-Identifier: MIT
#include "runtime/core/Cpu.h"
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace segc::rt {
namespace {

#if defined(__x86_64__)
uint64_t xcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

/// Asks for the registers of AMX, for all threads of the process. It is refused by kernels before 5.16, and
/// where a thread has a signal stack that is too small for them.
bool mayUseTiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

uint32_t detect(uint32_t wanted) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return kIsaBaseline;
  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
  if (!all(c, fma | osxsave | avx | f16c) || !all(uint32_t(xcr0()), 0x6))
    return kIsaBaseline;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all(b, 1u << 5 /* AVX2 */))
    return kIsaBaseline;
  uint32_t isa = kIsaAvx2Fma;
  // F, DQ, CD, BW, VL: what Halide's avx512_skylake uses.
  const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
  if (!all(b, avx512) || !all(uint32_t(xcr0()), 0xe6))
    return isa;
  isa |= kIsaAvx512;
  // Kernels with dot products are compiled for Zen 4: VBMI, VBMI2, GFNI, VNNI, BITALG, VPOPCNTDQ; IFMA.
  const uint32_t zen4 = 1u << 1 | 1u << 6 | 1u << 8 | 1u << 11 | 1u << 12 | 1u << 14;
  // Those with tiles for Sapphire Rapids: AMX-BF16, AVX512-FP16, AMX-TILE; AVX-VNNI.
  const uint32_t tiles = 1u << 22 | 1u << 23 | 1u << 24;
  const bool hasTiles = all(d, tiles) && all(uint32_t(xcr0()), 0x600e6);
  if (!all(b, 1u << 21) || !all(c, zen4) || !__get_cpuid_count(7, 1, &a, &b, &c, &d) ||
      !all(a, 1u << 5 /* AVX512_BF16 */))
    return isa;
  isa |= kIsaAvx512Bf16;
  if (hasTiles && all(a, 1u << 4 /* AVX-VNNI */) && (wanted & kIsaAmx) && mayUseTiles())
    isa |= kIsaAmx;
  return isa;
}
#else
uint32_t detect(uint32_t) { return kIsaBaseline; }
#endif

} // namespace

uint32_t isaLimit(const char *value) {
  if (value && strcmp(value, "portable") == 0)
    return kIsaBaseline;
  if (value && strcmp(value, "avx2") == 0)
    return kIsaAvx2Fma;
  if (value && strcmp(value, "avx512") == 0)
    return kIsaAvx2Fma | kIsaAvx512;
  if (value && strcmp(value, "avx512bf16") == 0)
    return kIsaAvx2Fma | kIsaAvx512 | kIsaAvx512Bf16;
  return ~0u;
}

uint32_t availableIsa(uint32_t wanted) {
  wanted &= isaLimit(getenv("SEGC_ISA"));
  return detect(wanted) & wanted;
}

const char *isaName(uint32_t isa) {
  if (isa & kIsaAmx)
    return "amx";
  if (isa & kIsaAvx512Bf16)
    return "avx512bf16";
  if (isa & kIsaAvx512)
    return "avx512";
  return isa & kIsaAvx2Fma ? "avx2" : "portable";
}

uint32_t isaOf(const Variant &variant) {
  return (variant.table ? variant.table->isa : 0) | (variant.trainTable ? variant.trainTable->isa : 0);
}

const Variant *chooseVariant(const Variant *variants, uint32_t count, uint32_t available) {
  for (uint32_t i = 0; i < count; ++i)
    if ((isaOf(variants[i]) & ~available) == 0)
      return &variants[i];
  return nullptr;
}

} // namespace segc::rt
