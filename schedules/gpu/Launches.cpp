/// \file Reads the limits off the calls that launch kernels.
// SPDX-License-Identifier: MIT
#include "schedules/gpu/Launches.h"

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

/// halide_cuda_run(state, entry, blocks x, y, z, threads x, y, z, shared bytes, ...), OpenCL's alike.
class LaunchCheck : public ir::IRVisitor {
  static constexpr int kEntry = 1, kFirstThread = 5, kShared = 8;
  using IRVisitor::visit;

  void visit(const ir::Call *call) override {
    if (call->name == "halide_cuda_run" || call->name == "halide_opencl_run") {
      int64_t threads = 1;
      for (int d = 0; d < 3; d++)
        threads *= constant(call, kFirstThread + d, "threads of a block");
      limit(call, threads, kMostThreads, "threads in a block");
      limit(call, constant(call, kShared, "shared bytes"), kMostSharedBytes, "bytes of shared memory");
    }
    IRVisitor::visit(call);
  }

  static std::string entryOf(const ir::Call *call) {
    const auto *name = call->args[kEntry].as<ir::StringImm>();
    return name ? name->value : "a kernel";
  }

  static int64_t constant(const ir::Call *call, int argument, const char *what) {
    const auto value = ir::as_const_int(ir::simplify(call->args[argument]));
    if (!value)
      throw CompileError(entryOf(call) + ": the number of " + what + " is no constant");
    return *value;
  }

  static void limit(const ir::Call *call, int64_t value, int most, const char *what) {
    if (value > most)
      throw CompileError(entryOf(call) + " needs " + std::to_string(value) + " " + what + ", a GPU has " +
                         std::to_string(most));
  }
};

} // namespace

void checkLaunches(const Module &module) {
  LaunchCheck check;
  for (const ir::LoweredFunc &function : module.functions())
    function.body.accept(&check);
}

} // namespace segc::schedules
