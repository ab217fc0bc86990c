/// \file Blocks of 16 x 16 words of 32 bits, transposed in registers.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <functional>
#include <string>
#include <vector>

namespace segc::schedules {

/// Vectors along one side of a block become vectors along the other, in two steps, each of which interleaves
/// four of them.
class Transposed {
public:
  static constexpr int kSide = 16;
  /// `value` is word (lane, row) of the block at `place`; lanes follow each other in memory.
  Transposed(const std::string &name,
             const std::function<Halide::Expr(const Halide::Expr &lane, const Halide::Expr &row)> &value,
             const std::vector<Halide::Var> &place);

  /// Word (lane, row) of a block, for vectors along the rows.
  Halide::Expr at(const Halide::Expr &lane, const Halide::Expr &row,
                  const std::vector<Halide::Expr> &where) const;
  /// A block at a time lies beside `level`.
  void schedule(const Halide::LoopLevel &level);

private:
  std::vector<Halide::Var> with(std::vector<Halide::Var> first) const; ///< and the block's place
  const Halide::Var a{"a"}, b{"b"}, f{"f"}, lane{"lane"};
  Halide::Func half, turned;
  const std::vector<Halide::Var> place;
};

} // namespace segc::schedules
