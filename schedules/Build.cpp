/// \file Targets and parameters common to all kernel builds.
// SPDX-License-Identifier: MIT
#include "schedules/Build.h"
#include <cstring>

using namespace Halide;

namespace segc::schedules {

Target targetOf(Isa isa) {
  Target target(Target::Linux, Target::X86, 64,
                {Target::NoAsserts, Target::NoBoundsQuery, Target::NoRuntime, Target::UserContext});
  if (isAvx512(isa))
    target.set_features(
        {Target::AVX512_Skylake, Target::AVX2, Target::AVX, Target::FMA, Target::F16C, Target::SSE41});
  if (isa == Isa::Amx)
    target.set_features(
        {Target::AVX512_Cannonlake, Target::AVX512_Zen4, Target::AVXVNNI, Target::AVX512_SapphireRapids});
  if (isa == Isa::Avx512Bf16)
    target.set_features({Target::AVX512_Cannonlake, Target::AVX512_Zen4});
  if (isa == Isa::Avx2)
    target.set_features({Target::AVX2, Target::AVX, Target::FMA, Target::F16C, Target::SSE41});
  if (isa == Isa::OpenCl)
    target.set_features({Target::OpenCL, Target::CLDoubles});
  if (isa == Isa::Cuda)
    target.set_features({Target::CUDA, Target::CUDACapability80});
  return target;
}

Target jitTargetOf(Isa isa) {
  Target target = targetOf(isa);
  target.set_features({Target::NoRuntime, Target::UserContext}, false);
  target.set_feature(Target::JIT);
  return target;
}

StrictHalide::StrictHalide() { set_custom_compile_time_error_reporter(this); }
StrictHalide::~StrictHalide() { set_custom_compile_time_error_reporter(nullptr); }
void StrictHalide::warning(const char *message) {
  // An undefined first stage is the only way to a Func whose values depend on its own buffer's extents.
  if (!std::strstr(message, "Update definition completely hides earlier definitions"))
    warnings += message;
}
void StrictHalide::error(const char *message) { throw CompileError(message); }

void describeActivation(OutputImageParam buffer, int channels, int pixel) {
  buffer.dim(0).set_bounds(0, channels).set_stride(1);
  buffer.dim(1).set_min(0).set_stride(pixel);
  buffer.dim(2).set_min(0);
  buffer.dim(3).set_min(0);
}

void describeForeign(OutputImageParam buffer, int channels) {
  for (int d = 0; d < 4; d++)
    buffer.dim(d).set_min(0).set_stride(Expr());
  buffer.dim(0).set_extent(channels);
}

ImageParam activation(const std::string &name, int channels, int pixel, Type type) {
  ImageParam param(type, 4, name);
  describeActivation(param, channels, pixel);
  return param;
}

ImageParam denseParam(const std::string &name, const std::vector<int> &extents, Type type) {
  ImageParam param(type, int(extents.size()), name);
  int stride = 1;
  for (size_t d = 0; d < extents.size(); d++) {
    param.dim(d).set_bounds(0, extents[d]).set_stride(stride);
    stride *= extents[d];
  }
  return param;
}

} // namespace segc::schedules
