/// \file What segc can warn of: -W<name>.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/ToolSupport.h"

namespace segc {

/// Gives the warnings that were asked for; the name of one that does not exist gets a note.
void giveWarnings(const ToolOptions &options, LoadedModel &input);

} // namespace segc
