/// \file Places the buffers of @run in the arena with the planner that the compiled library also carries.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "runtime/core/Planner.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_PLANARENA
#include "compiler/passes/Passes.h.inc"

namespace {

struct PlanArenaPass : impl::PlanArenaBase<PlanArenaPass> {
  void runOnOperation() override {
    for (plan::ProgramOp program : getOperation().getOps<plan::ProgramOp>())
      place(program);
  }

  static void place(plan::ProgramOp program) {
    SmallVector<plan::Lifetime> lives = plan::lifetimes(program);
    hg::SizeTable sizes = *plan::parseSizes(program.getSizes());
    Builder b(program.getContext());
    std::vector<uint64_t> offsets(lives.size());
    auto arena = arenaBytes(lives, sizes.evaluate(), offsets);
    // For the largest shape only the size matters: where the buffers lie is decided when the library gets it.
    if (auto bounds = program->getAttrOfType<ArrayAttr>("max_extents")) {
      SmallVector<SmallVector<int64_t, 4>> largest;
      for (auto extents : bounds.getAsRange<DenseI64ArrayAttr>())
        largest.emplace_back(extents.asArrayRef());
      std::vector<uint64_t> unused(lives.size());
      if (auto most = arenaBytes(lives, sizes.evaluate(largest), unused))
        program->setAttr("max_arena_bytes", b.getI64IntegerAttr(static_cast<int64_t>(*most)));
    }
    if (!arena)
      return;
    for (auto [life, offset] : llvm::zip(lives, offsets))
      life.alloc.setOffsetAttr(b.getI64IntegerAttr(static_cast<int64_t>(offset)));
    program->setAttr("arena_bytes", b.getI64IntegerAttr(static_cast<int64_t>(*arena)));
  }

  /// The number of the first buffer with the same extents and border, from 1 on; 0 without a border.
  static uint32_t likeOf(ArrayRef<plan::Lifetime> lives, size_t index, ArrayRef<int64_t> sizes) {
    plan::AllocOp own = lives[index].alloc;
    if (llvm::all_of(own.getApron(), [](int64_t pixels) { return pixels == 0; }))
      return 0;
    const auto *first = llvm::find_if(lives, [&](const plan::Lifetime &life) {
      plan::AllocOp other = life.alloc;
      return other.getApron() == own.getApron() && other.getChannels() == own.getChannels() &&
             other.getElement() == own.getElement() &&
             llvm::all_of(llvm::zip(other.getExtents(), own.getExtents()),
                          [&](auto pair) { return sizes[std::get<0>(pair)] == sizes[std::get<1>(pair)]; });
    });
    return static_cast<uint32_t>(first - lives.begin()) + 1;
  }

  /// Places all buffers; nothing where some extent is only known at run time.
  static std::optional<uint64_t> arenaBytes(MutableArrayRef<plan::Lifetime> lives,
                                            const std::vector<int64_t> &sizes,
                                            std::vector<uint64_t> &offsets) {
    std::vector<rt::Interval> intervals;
    for (plan::Lifetime &life : lives) {
      int64_t bytes = plan::bufferBytes(life.alloc, sizes);
      if (bytes < 0)
        return std::nullopt;
      intervals.push_back({life.first, life.last, life.used ? static_cast<uint64_t>(bytes) : 0,
                           likeOf(lives, intervals.size(), sizes)});
    }
    std::vector<uint32_t> scratch(2 * intervals.size());
    return rt::planArena(intervals.data(), intervals.size(), offsets.data(), scratch.data());
  }
};

} // namespace
} // namespace segc
