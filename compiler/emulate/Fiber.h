/// \file Threads of a block as fibers: stacks of their own, switched by hand, so that one warp's lanes can
/// meet.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstddef>

namespace segc::emulate {

/// A stack that a function runs on. Only stackless code may be abandoned: nothing is unwound.
class Fiber {
public:
  Fiber() = default;
  Fiber(const Fiber &) = delete;
  ~Fiber();
  /// Makes `enter(argument)` what the next switch to this fiber starts; it must never return.
  void prepare(void (*enter)(void *), void *argument);
  /// Saves the running context in `from` and goes on where this fiber was left.
  static void change(Fiber &from, Fiber &to);

private:
  static constexpr size_t stackBytes = 128 * 1024, guardBytes = 4096;
  char *stack = nullptr; ///< below it lies a page that faults
  void *top = nullptr;
};

} // namespace segc::emulate
