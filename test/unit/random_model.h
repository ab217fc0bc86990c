/// \file Random networks of all layers that the compiler knows, as JSON.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <cstdint>
#include <cstdlib>
#include <string>

namespace segc::test {

/// A description of 1 to 10 layers that segc accepts: depends on `seed` only. What a network may contain is
/// decided by the importer: a layer that it refuses (too large a kernel, extents that do not fit) is thrown
/// again.
std::string randomModel(mlir::MLIRContext &context, uint64_t seed);
/// The same, smaller, with a `training` section: a random loss on each value that nothing reads.
std::string randomTraining(mlir::MLIRContext &context, uint64_t seed);

/// The numbers of `few` networks, or with SEGC_LONG=1 in the environment of `many`; SEGC_FIRST is the first
/// one's.
inline auto randomSeeds(int few, int many) {
  auto numberFrom = [](const char *variable) {
    const char *text = std::getenv(variable);
    return text && *text ? std::atoi(text) : 0;
  };
  int first = numberFrom("SEGC_FIRST");
  return testing::Range(first, first + (numberFrom("SEGC_LONG") == 1 ? many : few));
}

} // namespace segc::test
