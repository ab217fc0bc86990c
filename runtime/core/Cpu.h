/// \file Which instruction sets this processor and operating system offer.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::rt {

/// Those bits of `wanted` that may be used: what the processor has, the operating system saves (XSAVE), and
/// the environment variable SEGC_ISA (portable, avx2, avx512, avx512bf16, amx) does not forbid. The operating
/// system is asked to let the process use AMX if that is wanted and there.
uint32_t availableIsa(uint32_t wanted = ~0u);

/// The bits that a value of SEGC_ISA leaves; all for null and for values it does not know.
uint32_t isaLimit(const char *value);

/// "portable", "avx2", "avx512", "avx512bf16", "amx": the class of a variant with these bits.
const char *isaName(uint32_t isa);

/// The bits that both programs of a variant need.
uint32_t isaOf(const Variant &variant);

/// The first variant whose bits are all available, null if there is none.
const Variant *chooseVariant(const Variant *variants, uint32_t count, uint32_t available);

} // namespace segc::rt
