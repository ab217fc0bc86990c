/// \file The families of the CPU back end, one function each beside the file that builds it.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"

namespace segc::schedules {

// Convolutions.
Family depthwiseFamily();
Family winogradFamily();
Family directConvFamily();
Family packConvFamily();

} // namespace segc::schedules
