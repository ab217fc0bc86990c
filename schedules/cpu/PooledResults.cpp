/// \file Maxima of a convolution's own pixels, and the buffers they are stored to.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/PooledResults.h"
#include "schedules/cpu/Maximum.h"

using namespace Halide;

namespace segc::schedules {

PooledResults::PooledResults(const KernelSpec &spec)
    : side(spec.pooling().empty() ? 1 : 2), pooling(spec.pooling()),
      strides(size_t(spec.number("phases", 1)), spec.get("out")) {
  if (pooling == "keep_pool")
    strides.assign(4, spec.get("out"));
  if (!pooling.empty() && pooling != "pool")
    strides.push_back(spec.epilogues.back().stride);
}

PooledResults::Values PooledResults::values(const Expr &i, const Expr &j, const Pixel &pixel) const {
  if (pooling.empty())
    return {pixel(i, j)};
  const Values window = {pixel(2 * i, 2 * j), pixel(2 * i + 1, 2 * j), pixel(2 * i, 2 * j + 1),
                         pixel(2 * i + 1, 2 * j + 1)};
  const bool hasIndex = pooling == "pool_index";
  Expr best = reinterpret<int32_t>(window[0]), position = cast<uint8_t>(0);
  for (int tap = 1; tap < 4; tap++) {
    const Expr isNew = isNewMaximum(window[tap], reinterpret<float>(best), hasIndex);
    position = select(isNew, cast<uint8_t>(tap), position);
    best = select(isNew, reinterpret<int32_t>(window[tap]), best);
  }
  const Expr maximum = reinterpret<float>(best);
  if (hasIndex)
    return {maximum, position};
  return pooling == "pool" ? Values{maximum} : Values{window[0], window[1], window[2], window[3], maximum};
}

PooledResults::Values PooledResults::undefined() const {
  Values values(strides.size(), undef<float>());
  if (pooling == "pool_index")
    values.back() = undef<uint8_t>();
  return values;
}

void PooledResults::describe(const std::vector<OutputImageParam> &buffers, int channels) const {
  describeActivation(buffers[0], channels, strides[0]);
  for (size_t b = 1; b < buffers.size(); b++) {
    OutputImageParam buffer = buffers[b];
    buffer.dim(0).set_stride(1);
    buffer.dim(1).set_stride(strides[b]);
  }
}

KernelSpec beforePool(KernelSpec spec) {
  if (!spec.pooling().empty())
    spec.epilogues.pop_back();
  return spec;
}

} // namespace segc::schedules
