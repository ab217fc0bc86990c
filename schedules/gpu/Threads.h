/// \file The one rule by which all kernels but the tiled ones run on a GPU: a thread computes one vector of a
/// result with everything it is made of.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <map>
#include <set>

namespace segc::schedules {

/// How results are dealt out to threads.
struct ThreadRule {
  int vector; ///< elements of the first dimension that one thread computes; divides its extent
  int block;  ///< threads of a block
  bool whole; ///< a thread computes all of the first dimension: what is made of all of it is made once
  /// As vectors of the language. Halide's OpenCL has none where comparisons are strict, so there the elements
  /// are unrolled.
  bool simd;
  /// Stages without updates that are computed all the same before anything is stored: results may lie in the
  /// memory of operands.
  std::set<std::string> kept = {};
  /// Stages that are computed in the innermost loop of another stage, by name.
  std::map<std::string, std::string> inside = {};
};

/// Activations that one access of memory, 16 bytes, brings.
inline int vectorOfMemory(const KernelSpec &spec) { return spec.dtype == "f32" ? 4 : 8; }

/// What the processors' family computes for this problem, without its schedule; null if none does.
const Family *lender(const KernelSpec &spec, Isa isa);
KernelBuild borrow(const KernelSpec &spec, Isa isa);

/// A Func's name without what Halide appends to make it unique.
std::string plainName(const Halide::Func &func);

/// Promises that rows and images of an activation begin at whole vectors of `vector` elements, as its pixels
/// do: without that Halide loads and stores element by element.
template <typename BufferT> void promiseVectors(BufferT buffer, int vector) {
  for (int d : {2, 3})
    buffer.dim(d).set_stride(buffer.dim(d).stride() / vector * vector);
}

/// Schedules every result of the pipeline, which has no schedule: blocks along the first two dimensions
/// (their number is at most 65535, the hardware's limit) times all the others, then threads. Stages with
/// updates are computed by the thread that reads them, in its registers; others are inlined. A stage belongs
/// to one result.
void scheduleThreads(const Halide::Pipeline &pipeline, const ThreadRule &rule);

} // namespace segc::schedules
