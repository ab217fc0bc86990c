/// \file Prefetches spread over the iterations of a loop, for operands that no cache near the core holds.
///
/// Halide's own prefetches are of a region at a time and non-temporal, so they pass the L2 cache by.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// `value`, and each iteration of the innermost loop around it fetches into the L2 cache what `buffer`, an
/// operand or the result, has from the element `index` on: `lines` cache lines, `step` elements apart, or
/// without it next to each other. They may lie behind its end. Of the values that an iteration stores the
/// first one's index counts. The pipeline needs lowerPrefetches().
Halide::Expr prefetching(const Halide::Expr &value, const Halide::OutputImageParam &buffer,
                         const Halide::Expr &index, int lines, const Halide::Expr &step = {});

/// What fetches the cache line at `address`, 64 bits, into the L2 cache: for lowering passes.
Halide::Internal::Stmt fetchLine(const Halide::Expr &address);

/// Lets the pipeline's prefetching() become instructions.
void lowerPrefetches(Halide::Pipeline pipeline);

} // namespace segc::schedules
