/// \file Launches of equal problem, schedule and meaning share one plan.kernel symbol.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include <map>

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_OUTLINE
#include "compiler/passes/Passes.h.inc"

namespace {

/// The problem as a C identifier: what is no letter or digit becomes '_', runs of them one.
std::string stem(StringRef problem) {
  std::string name;
  for (char c : problem)
    if (llvm::isAlnum(c))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  return name;
}

/// What a body computes, apart from extents: op names and attributes. A clone that is computed again for the
/// backward pass computes what the first one does.
std::string meaning(Region &body) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (Operation &op : body.front()) {
    out << op.getName();
    if (!isa<hg::PackOp, hg::UnpackOp>(op)) { // their extents differ, the boxed weights do not
      NamedAttrList attributes(op.getAttrDictionary());
      attributes.erase("hourglass.again");
      out << attributes.getDictionary(op.getContext());
    }
    out << ";";
  }
  return text;
}

struct OutlinePass : impl::OutlineBase<OutlinePass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::map<std::string, plan::KernelOp> known;
    std::map<std::string, unsigned> stems;
    OpBuilder b(module.getContext());
    Operation *last = nullptr;
    for (plan::ProgramOp program : module.getOps<plan::ProgramOp>())
      for (plan::LaunchOp launch : program.getBody().front().getOps<plan::LaunchOp>()) {
        if (launch.getBody().empty())
          continue;
        std::string key =
            launch.getProblem().str() + "\n" + launch.getSchedule().str() + "\n" + meaning(launch.getBody());
        plan::KernelOp &kernel = known[key];
        if (!kernel) {
          std::string name = stem(launch.getProblem());
          if (unsigned count = stems[name]++)
            name += "_" + std::to_string(count);
          if (last)
            b.setInsertionPointAfter(last);
          else
            b.setInsertionPointToStart(module.getBody());
          kernel =
              plan::KernelOp::create(b, launch.getLoc(), name, launch.getProblem(), launch.getSchedule());
          kernel.getBody().takeBody(launch.getBody());
          last = kernel;
        } else {
          launch.getBody().getBlocks().clear();
        }
        launch.setKernelAttr(FlatSymbolRefAttr::get(kernel.getSymNameAttr()));
      }
  }
};

} // namespace
} // namespace segc
