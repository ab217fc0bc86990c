/// \file What `segc` can do with a loaded model: build the library, show the summary, write a stage.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/ToolSupport.h"

namespace segc {

/// Each returns the tool's exit code, having printed what went wrong.
int buildLibrary(const ToolOptions &options, LoadedModel &input);
int showSummary(LoadedModel &input);
/// -emit KIND: to DIR/<name>.<extension> with -o DIR, else to stdout.
int emitStage(const ToolOptions &options, LoadedModel &input);

} // namespace segc
