/// \file The flags that models and single kernels are timed with.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/ToolOptions.h"
#include <vector>

namespace segc {

/// -threads 1,2; without it one number, that of the processors. False after printing an error.
bool readThreads(const ToolOptions &options, std::vector<int> &threads);
/// -seconds. False after printing an error.
bool readSeconds(const ToolOptions &options, double fallback, double &seconds);

} // namespace segc
