/// \file Wishes first, then the schedule library's rules.
// SPDX-License-Identifier: MIT
#include "compiler/passes/ScheduleChoice.h"
#include "compiler/analysis/GroupSpec.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace segc {

using schedules::Family;
using schedules::KernelSpec;
using schedules::Schedule;

ScheduleChoice::ScheduleChoice(schedules::Isa isa, ArrayRef<std::string> without, ArrayRef<std::string> asked)
    : isa(isa), without(without) {
  for (StringRef text : asked) {
    auto [layer, point] = text.split(':');
    auto parsed = Schedule::parse(point.str());
    if (auto *schedule = std::get_if<Schedule>(&parsed))
      wishes.push_back({layer.trim().str(), *schedule, false, {}, ""});
  }
}

/// A label joins the names of layers that became one kernel.
bool ScheduleChoice::Wish::isOf(StringRef label) const {
  SmallVector<StringRef> names;
  label.split(names, '+');
  return layer == "*" || layer == label || llvm::is_contained(names, layer);
}

std::variant<Schedule, std::string> ScheduleChoice::settle(const Wish &wish, const KernelSpec &spec,
                                                           ArrayRef<std::string> passedOver) const {
  const Family *family = schedules::findFamily(wish.point.family);
  if (llvm::is_contained(passedOver, wish.point.family))
    return "family " + wish.point.family + " is left out here (-winograd, -tensor-cores)";
  const bool applies = family && family->onGpu == schedules::isGpu(isa) && family->whyNot(spec, isa).empty();
  Schedule point = wish.point;
  if (applies && point.params.empty())
    point = family->choose(spec, isa);
  if (const std::string wrong = checkSchedule(spec, point, isa); !wrong.empty())
    return wrong;
  if (spec.op != "conv" || !family->packing(spec, point, isa).problem.empty())
    return point;
  // The kernel reads filters as they lie in the file, in one of two directions.
  if (spec.fresh.empty())
    return "family " + family->name + " does not apply: the filters change in no run";
  if (point.params["from"] != family->choose(spec, isa).params["from"])
    return family->name + " from=" + std::to_string(point.params["from"]) + " is not legal here; legal are " +
           std::to_string(family->choose(spec, isa).params["from"]);
  return point;
}

FailureOr<Schedule> ScheduleChoice::choose(hg::GroupOp group, const KernelSpec &spec, Thrift thrift) {
  std::vector<std::string> passedOver = without;
  for (const Family &family : schedules::families())
    if (readsOddSlice(group, family.granule))
      passedOver.push_back(family.name);
  const std::string label = hg::layerName(group.getLoc());
  for (Wish &wish : wishes) {
    if (!wish.isOf(label))
      continue;
    auto settled = settle(wish, spec, passedOver);
    if (auto *point = std::get_if<Schedule>(&settled)) {
      wish.isTaken = true;
      return *point;
    }
    if (!wish.refused) {
      wish.refused = group;
      wish.why = std::get<std::string>(settled);
    }
  }
  if (thrift == Thrift::NoWinograd && spec.pooling().empty()) // only Winograd's kernels pool
    llvm::append_range(passedOver, schedules::winogradFamilies());
  auto choice = schedules::chooseSchedule(spec, isa, passedOver);
  if (auto *why = std::get_if<std::string>(&choice))
    return group.emitOpError(*why);
  Schedule &point = std::get<Schedule>(choice);
  if (thrift == Thrift::None || point.family != "winograd")
    return point;
  Schedule small = point;
  small.params["tx"] = small.params["ty"] = 2;
  return checkSchedule(spec, small, isa).empty() ? small : point;
}

LogicalResult ScheduleChoice::finish(func::FuncOp main) {
  bool isFine = true;
  for (Wish &wish : wishes) {
    if (wish.isTaken || wish.layer == "*")
      continue;
    isFine = false;
    if (wish.refused)
      wish.refused.emitError("schedule '") << wish.point.print() << "': " << wish.why; // names the layer
    else
      main.emitError("schedule '") << wish.point.print() << "': no kernel computes a layer '" << wish.layer
                                   << "'; -opt-report lists those there are";
  }
  return success(isFine);
}

std::string whyNotWinograd(const KernelSpec &spec, schedules::Isa isa, const Schedule &chosen,
                           ArrayRef<std::string> without, Thrift thrift) {
  const char *const name = "winograd";
  const Family *family = schedules::findFamily(name);
  if (schedules::isGpu(isa) || spec.op != "conv" || spec.get("r") != 3 || spec.get("r", 1) != 3)
    return "";
  for (const Family &before : schedules::families()) { // what is preferred needs no excuse
    if (before.name == name)
      break;
    if (before.name == chosen.family)
      return "";
  }
  if (chosen.family == name)
    return thrift == Thrift::None ? "" : "tiles of 2x2 results, whose filters are small: -memory-limit";
  if (llvm::is_contained(without, name))
    return "not Winograd's: -winograd off";
  if (const std::string why = family->whyNot(spec, isa); !why.empty())
    return "not Winograd's: " + why;
  if (thrift == Thrift::NoWinograd)
    return "not Winograd's, whose filters are larger: -memory-limit";
  return family->pays && !family->pays(spec, isa)
             ? "not Winograd's: it does not pay for these channels and pixels"
             : "";
}

} // namespace segc
