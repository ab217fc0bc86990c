/// \file The families of GPUs, one function each beside the file that builds it.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"

namespace segc::schedules {

Family axisSumsFamily();
Family binMeansFamily();
Family convTileFamily();
Family finishSharesFamily();
Family sharesFamily();
Family tensorCores90aFamily();
Family tensorCoresFamily();
Family threadsFamily();
Family unpackTileFamily();
Family wgradTileFamily();

} // namespace segc::schedules
