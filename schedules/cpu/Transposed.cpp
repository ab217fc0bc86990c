/// \file The two steps of a transposition.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Transposed.h"

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr int kWays = 4, kOthers = Transposed::kSide / kWays;

std::vector<VarOrRVar> loops(const std::vector<Var> &order) { return {order.begin(), order.end()}; }

} // namespace

Transposed::Transposed(const std::string &name,
                       const std::function<Expr(const Expr &lane, const Expr &row)> &value,
                       const std::vector<Var> &place)
    : half(name + "_half"), turned(name + "_turned"), place(place) {
  half(with({a, lane, b})) = value(lane, a * kWays + b);
  std::vector<Expr> from = {f % kOthers, f / kOthers, b};
  from.insert(from.end(), place.begin(), place.end());
  turned(with({b, f})) = half(from);
}

Expr Transposed::at(const Expr &lane, const Expr &row, const std::vector<Expr> &where) const {
  std::vector<Expr> args = {row % kWays, row / kWays + kOthers * lane};
  args.insert(args.end(), where.begin(), where.end());
  return turned(args);
}

void Transposed::schedule(const LoopLevel &level) {
  for (Func stage : {half, turned}) {
    stage.compute_at(level).store_in(MemoryType::Stack).bound(b, 0, kWays);
    for (const Var &v : place)
      stage.bound_extent(v, 1);
  }
  half.bound(a, 0, kOthers).bound(lane, 0, kSide).reorder(loops(with({lane, a, b})));
  half.vectorize(lane).unroll(a).unroll(b);
  turned.bound(f, 0, kOthers * kSide).split(f, f, a, kSide).reorder(loops(with({a, b, f})));
  turned.vectorize(a).unroll(b).unroll(f);
}

std::vector<Var> Transposed::with(std::vector<Var> first) const {
  first.insert(first.end(), place.begin(), place.end());
  return first;
}

} // namespace segc::schedules
