/// \file Which schedule a group gets: the one that the user asked for, one of smaller filters where memory is
/// short, else the rule's choice.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "schedules/Family.h"

namespace segc {

/// How far a convolution goes without large filters: Winograd's with the smallest tiles, or none of them.
enum class Thrift { None, SmallTiles, NoWinograd };

class ScheduleChoice {
public:
  /// Of `asked` each is "LAYER: FAMILY [key=value ...]"; LAYER * is whatever the family computes.
  ScheduleChoice(schedules::Isa isa, llvm::ArrayRef<std::string> without, llvm::ArrayRef<std::string> asked);

  /// Emits an error at the group if none computes it, or if what is asked for is not legal.
  mlir::FailureOr<schedules::Schedule> choose(hg::GroupOp group, const schedules::KernelSpec &spec,
                                              Thrift thrift);
  /// Emits an error for each layer whose wish no kernel could take.
  mlir::LogicalResult finish(mlir::func::FuncOp main);

private:
  struct Wish {
    std::string layer;
    schedules::Schedule point;
    bool isTaken = false;
    hg::GroupOp refused; ///< a kernel of the layer that could not take it
    std::string why;
    bool isOf(llvm::StringRef label) const;
  };
  /// The wish as a schedule of this kernel, or why it is none.
  std::variant<schedules::Schedule, std::string> settle(const Wish &wish, const schedules::KernelSpec &spec,
                                                        llvm::ArrayRef<std::string> passedOver) const;

  const schedules::Isa isa;
  const std::vector<std::string> without;
  std::vector<Wish> wishes;
};

/// For -opt-report: why a 3x3 convolution of processors is not Winograd's; empty if there is nothing to say.
std::string whyNotWinograd(const schedules::KernelSpec &spec, schedules::Isa isa,
                           const schedules::Schedule &chosen, llvm::ArrayRef<std::string> without,
                           Thrift thrift);

} // namespace segc
