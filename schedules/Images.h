/// \file Machine code for some GPUs, which stands behind the PTX of a kernel object.
// SPDX-License-Identifier: MIT
#pragma once
#include <string>

namespace segc::schedules {

/// A part of what is compiled: other architectures or another assembler give another object.
struct Images {
  std::string archs;   ///< "sm_80,sm_90"; empty: PTX alone
  std::string ptxas;   ///< the assembler's path
  std::string version; ///< what it says of itself, a line
};

/// Adds the images to `code`, PTX, in the form of runtime/core/Images.h. Empty, or what went wrong.
std::string addImages(std::string &code, const Images &images);

} // namespace segc::schedules
