/// \file Stores that pass the caches by, for results that no cache holds until they are read.
///
/// A store of part of a cache line, or of lines with others between them, has the processor read what it
/// overwrites. Halide knows no other stores; the runtime has a function for them.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// The names of the loops over the pixels that are stored at a time and over their panels of channels.
extern const char *const kStreamed, *const kStreamedPanels;

/// `value`, an element of a result, is stored past the caches if loops over a constant number of pixels
/// called kStreamed, and around them perhaps one over panels called kStreamedPanels, store whole cache lines
/// of each pixel and panel, without a condition. Where all they do is to copy lines from memory that has them
/// one behind the other, no other copy is made. Needs lowerStreams(), behind what narrows the results.
Halide::Expr streamed(const Halide::Expr &value);

/// Lets the pipeline's streamed() become calls of the runtime.
void lowerStreams(Halide::Pipeline pipeline);

} // namespace segc::schedules
