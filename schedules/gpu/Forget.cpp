/// \file Resets the schedules that Halide keeps beside each definition.
///
/// Halide has no call for this; its schedules are plain lists of splits and loops, which start out as the
/// variables of a definition from the innermost to the outermost (Function::define, define_update).
// SPDX-License-Identifier: MIT
#include "schedules/gpu/Forget.h"
#include <set>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

ir::Dim loop(const std::string &var, ir::DimType type) {
  return {var, ir::ForType::Serial, DeviceAPI::None, type, Partition::Auto};
}

void forget(ir::Definition &definition) {
  definition.specializations().clear();
  ir::StageSchedule &schedule = definition.schedule();
  std::vector<ir::Dim> loops;
  std::set<std::string> reductions;
  for (const ir::ReductionVariable &var : schedule.rvars()) {
    loops.push_back(loop(var.var, ir::DimType::ImpureRVar));
    reductions.insert(var.var);
  }
  for (const Expr &argument : definition.args())
    if (const auto *var = argument.as<ir::Variable>(); var && !reductions.count(var->name))
      loops.push_back(loop(var->name, ir::DimType::PureVar));
  loops.push_back(loop(Var::outermost().name(), ir::DimType::PureVar));
  schedule.dims() = loops;
  schedule.splits().clear();
  schedule.atomic() = false;
  schedule.override_atomic_associativity_test() = false;
  schedule.allow_race_conditions() = false;
}

void forget(ir::Function function, bool isResult) {
  ir::FuncSchedule &schedule = function.schedule();
  schedule.compute_level() = LoopLevel::inlined();
  schedule.store_level() = LoopLevel::inlined();
  schedule.hoist_storage_level() = LoopLevel::inlined();
  schedule.memory_type() = MemoryType::Auto;
  if (!isResult)
    schedule.bounds().clear();
  forget(function.definition());
  for (size_t i = 0; i < function.updates().size(); i++)
    forget(function.update(int(i)));
}

/// Producers first: a Func stands behind all that it calls.
void collect(const ir::Function &function, std::set<std::string> &seen, std::vector<Func> &order) {
  if (!seen.insert(function.name()).second)
    return;
  for (const auto &[name, called] : ir::find_direct_calls(function))
    if (name != function.name())
      collect(called, seen, order);
  order.push_back(Func(function));
}

} // namespace

std::vector<Func> stagesOf(const Pipeline &pipeline) {
  std::set<std::string> seen, results;
  std::vector<Func> order, stages;
  for (const Func &result : pipeline.outputs()) {
    results.insert(result.name());
    collect(result.function(), seen, order);
  }
  for (const Func &f : order)
    if (!results.count(f.name()))
      stages.push_back(f);
  return stages;
}

void forgetSchedule(const Pipeline &pipeline) {
  for (const Func &stage : stagesOf(pipeline))
    forget(stage.function(), false);
  for (const Func &result : pipeline.outputs())
    forget(result.function(), true);
}

} // namespace segc::schedules
