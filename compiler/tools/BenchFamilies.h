/// \file segc-bench -families: the page of schedule families, made from the values that describe them.
// SPDX-License-Identifier: MIT
#pragma once
#include <string>

namespace segc {

/// docs/families.md.
std::string familiesPage();

} // namespace segc
