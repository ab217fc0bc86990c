/// \file A lowering pass: a loop's results go to a block in the L1 cache, and from there past the caches.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Stream.h"
#include <map>
#include <vector>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {

const char *const kStreamed = "streamed_x", *const kStreamedPanels = "streamed_c";

namespace {

const char *const kStreaming = "streaming", *const kFunction = "segc_stream", *const kEnd = "segc_stream_end";
constexpr int kLine = 64; ///< bytes of a cache line

/// Takes the mark off a value.
class Unmark : public ir::IRMutator {
public:
  bool found = false;

private:
  using IRMutator::visit;
  Expr visit(const ir::Call *op) override {
    if (op->name != kStreaming)
      return IRMutator::visit(op);
    found = true;
    return mutate(op->args[0]);
  }
};

class StreamPass : public ir::IRMutator {
  using IRMutator::visit;

  /// What the loops at hand store to one buffer.
  struct Block {
    std::string name; ///< of the memory instead
    Type type;
    Expr first, step;      ///< element of the first pixel, and how far the next one is
    int ofPanel = 0;       ///< elements of a pixel and panel
    int64_t fromPanel = 0; ///< from one panel to the next
    Expr from;             ///< where its lines lie one behind the other already, if they do
  };

  ir::Stmt visit(const ir::For *op) override {
    const bool isPixels = named(op, kStreamed), isPanels = named(op, kStreamedPanels);
    if (op->for_type == ir::ForType::Parallel)
      return task(op);
    if (!isPixels && !isPanels)
      return IRMutator::visit(op);
    const auto extent = ir::as_const_int(op->extent);
    require(extent && ir::is_const_zero(op->min), "a loop has no constant extent");
    (isPixels ? pixels : panels) = {op->name, int(*extent)};
    const bool isOutermost = !isInside;
    if (isOutermost)
      isCopy = true;
    isInside = true;
    ir::Stmt result = IRMutator::visit(op);
    if (isOutermost) {
      isInside = false;
      result = withBlocks(result);
      pixels = panels = {"", 1};
    }
    return result;
  }

  /// Whoever is told that a task has ended finds its results: they are ordered before that.
  ir::Stmt task(const ir::For *op) {
    streams = false;
    ir::Stmt body = mutate(op->body);
    if (streams)
      body = ir::Block::make(body, ir::Evaluate::make(ir::Call::make(Int(32), kEnd, {}, ir::Call::Extern)));
    return ir::For::make(op->name, op->min, op->extent, op->for_type, op->partition_policy, op->device_api,
                         body);
  }

  ir::Stmt withBlocks(ir::Stmt loops) {
    std::map<std::string, Block> all;
    std::swap(all, blocks);
    streams |= !all.empty();
    for (const auto &[buffer, block] : all)
      isCopy &= block.from.defined();
    if (isCopy && !all.empty()) // the calls read what the loops would have copied
      loops = ir::Evaluate::make(0);
    for (const auto &[buffer, block] : all) {
      const int line = kLine / block.type.bytes();
      require(block.ofPanel == line && (panels.extent == 1 || block.fromPanel == line),
              "panels are no lines");
      const Expr to = reinterpret(UInt(64), ir::Variable::make(Handle(), buffer)) +
                      cast(UInt(64), cast(Int(64), block.first) * block.type.bytes()),
                 step = cast(Int(64), block.step) * block.type.bytes();
      const Expr from = isCopy ? block.from : ir::Variable::make(Handle(), block.name);
      const Expr send = ir::Call::make(Int(32), kFunction,
                                       {reinterpret(Handle(), to), step, from, pixels.extent, panels.extent},
                                       ir::Call::Extern);
      loops = ir::Block::make(loops, ir::Evaluate::make(send));
    }
    for (const auto &[buffer, block] : all)
      if (!isCopy)
        loops = ir::Allocate::make(block.name, block.type, MemoryType::Stack,
                                   {pixels.extent * panels.extent * block.ofPanel}, ir::const_true(), loops);
    return loops;
  }

  ir::Stmt visit(const ir::LetStmt *op) override {
    if (isInside)
      lets.emplace_back(op->name, op->value);
    ir::Stmt let = IRMutator::visit(op);
    if (isInside)
      lets.pop_back();
    return let;
  }

  ir::Stmt visit(const ir::IfThenElse *op) override {
    conditions += isInside;
    ir::Stmt result = IRMutator::visit(op);
    conditions -= isInside;
    return result;
  }

  ir::Stmt visit(const ir::Store *op) override {
    Unmark unmark;
    const Expr value = unmark.mutate(op->value);
    if (!unmark.found) {
      isCopy = false;
      return op;
    }
    const auto *ramp = op->index.as<ir::Ramp>();
    if (pixels.name.empty() || !ramp || !ir::is_const_one(ramp->stride) || !ir::is_const_one(op->predicate))
      return ir::Store::make(op->name, value, op->index, op->param, op->predicate, op->alignment);
    require(conditions == 0, "a store has a condition");
    Block &block = blocks[op->name];
    if (!block.first.defined()) {
      block.name = ir::unique_name("streamed");
      block.type = op->value.type().element_of();
      block.first = at(ramp->base, 0, 0);
      block.step = ir::simplify(at(ramp->base, 1, 0) - block.first);
      if (panels.extent > 1) {
        block.fromPanel = distance(at(ramp->base, 0, 1), block.first);
        require(distance(at(ramp->base, 0, panels.extent - 1), block.first) ==
                    (panels.extent - 1) * block.fromPanel,
                "panels are different distances apart");
      }
    }
    const int offset = int(distance(at(ramp->base, 0, 0), block.first)), line = kLine / block.type.bytes();
    block.ofPanel += ramp->lanes;
    block.from = inOrder(value, line);
    Expr number = ir::Variable::make(Int(32), pixels.name) * panels.extent;
    if (panels.extent > 1)
      number += ir::Variable::make(Int(32), panels.name);
    return ir::Store::make(block.name, value, ir::Ramp::make(number * line + offset, 1, ramp->lanes),
                           Halide::Parameter(), op->predicate, {});
  }

  /// The address of the first line, if `value` is read from where all lines lie as in a block.
  Expr inOrder(const Expr &value, int line) const {
    const auto *load = value.as<ir::Load>();
    const auto *ramp = load ? load->index.as<ir::Ramp>() : nullptr;
    if (!ramp || !ir::is_const_one(ramp->stride) || ramp->lanes != line)
      return {};
    const Expr first = at(ramp->base, 0, 0);
    auto liesAt = [&](int pixel, int panel) {
      const auto distance = ir::as_const_int(ir::simplify(at(ramp->base, pixel, panel) - first));
      return distance && *distance == (int64_t(pixel) * panels.extent + panel) * line;
    };
    for (int pixel : {1, pixels.extent - 1})
      for (int panel : {0, 1, panels.extent - 1})
        if (panel < panels.extent && !liesAt(pixel, panel))
          return {};
    return reinterpret(Handle(), reinterpret(UInt(64), ir::Variable::make(Handle(), load->name)) +
                                     cast(UInt(64), cast(Int(64), first) * load->type.bytes()));
  }

  /// `index` in what is known outside the loops, for a pixel and a panel.
  Expr at(Expr index, int pixel, int panel) const {
    for (auto let = lets.rbegin(); let != lets.rend(); ++let)
      index = ir::substitute(let->first, let->second, index);
    index = ir::substitute(pixels.name, pixel, index);
    if (!panels.name.empty())
      index = ir::substitute(panels.name, panel, index);
    return ir::simplify(index);
  }

  static int64_t distance(const Expr &to, const Expr &from) {
    const auto constant = ir::as_const_int(ir::simplify(to - from));
    require(constant.has_value(), "vectors are any distance apart");
    return *constant;
  }

  static bool named(const ir::For *loop, const std::string &name) {
    return loop->name.substr(loop->name.rfind('.') + 1) == name;
  }

  static void require(bool holds, const char *what) {
    if (!holds)
      throw CompileError(std::string("no stream of results: ") + what);
  }

  struct Loop {
    std::string name;
    int extent = 1;
  };
  Loop pixels, panels;                    ///< the loops at hand
  bool isInside = false, streams = false; ///< within them; this task has any
  bool isCopy = false;                    ///< all that they do is to copy lines that lie in order
  int conditions = 0;                     ///< within them and around the store at hand
  std::vector<std::pair<std::string, Expr>> lets;
  std::map<std::string, Block> blocks;
};

} // namespace

Expr streamed(const Expr &value) {
  return ir::Call::make(value.type(), kStreaming, {value}, ir::Call::PureExtern);
}

void lowerStreams(Pipeline pipeline) { pipeline.add_custom_lowering_pass(new StreamPass); }

} // namespace segc::schedules
