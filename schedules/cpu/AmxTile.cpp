/// \file The loops over tiles, and what they become.
///
/// Halide 21 finds tiles of AMX itself (ExtractTileOperations.cpp), one register a Func and in expressions of
/// certain shapes only. The pass here takes a loop nest that multiplies one tile, reads from its addresses
/// how far apart rows lie, and checks at all places of each axis and at the last of all that they are linear;
/// Halide's code generator knows the instructions.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/AmxTile.h"
#include <algorithm>
#include <array>
#include <map>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

constexpr int kRows = 16, kColumns = 16, kRowBytes = 64; // of a register
const char *const kChannels = "tile_c", *const kPixels = "tile_x", *const kPairs = "tile_p";

/// Does the loop run over variable `name`, whatever stage and splits it belongs to?
bool runsOver(const ir::For *loop, const std::string &name) {
  const std::string &full = loop->name;
  return full.size() > name.size() && full.compare(full.size() - name.size(), name.size(), name) == 0;
}

/// A register as Halide's code generator takes it.
Expr valueOf(const std::string &name) {
  return ir::Load::make(Float(32, kRows * kColumns), name, ir::Ramp::make(0, 1, kRows * kColumns), {}, {},
                        ir::const_true(kRows * kColumns), {});
}
ir::Stmt assign(const std::string &name, const Expr &value) {
  return ir::Store::make(name, value, ir::Ramp::make(0, 1, kRows * kColumns), Halide::Parameter(),
                         ir::const_true(kRows * kColumns), {});
}
Expr intrinsic(Type type, const std::string &name, const std::vector<Expr> &args) {
  return ir::Call::make(type, name, args, ir::Call::Intrinsic);
}

/// The loops around one product of tiles: what is left when they are taken away, and how far each ran.
class Nest {
public:
  /// `pair` is the name of the loop over a pair's elements.
  Nest(const ir::For *loop, const std::string &pair) : known{kChannels, kPixels, kPairs, pair} {
    std::vector<std::pair<std::string, Expr>> lets;
    ir::Stmt body = loop;
    for (;;) {
      if (const auto *inner = body.as<ir::For>()) {
        enter(inner);
        body = inner->body;
      } else if (const auto *let = body.as<ir::LetStmt>()) {
        lets.emplace_back(let->name, let->value);
        body = let->body;
      } else
        break;
    }
    for (auto let = lets.rbegin(); let != lets.rend(); ++let)
      body = ir::substitute(let->first, let->second, body);
    store = body;
  }

  enum Axis { Channel, Pixel, Pair, Element };
  /// Address at the tile's first element, and its steps along the axes.
  struct Address {
    Expr first;
    std::array<Expr, 4> steps;
  };
  Address address(const Expr &index) const {
    auto at = [&](const std::array<int, 4> &place) {
      std::map<std::string, Expr> values;
      for (int axis = 0; axis < 4; axis++)
        if (!names[axis].empty())
          values[names[axis]] = place[axis];
      return ir::simplify(ir::substitute(values, index));
    };
    Address address{at({}), {}};
    std::array<int, 4> last{};
    Expr reached = address.first;
    for (int axis = 0; axis < 4; axis++) {
      address.steps[axis] = 0;
      Expr before = address.first;
      for (int i = 1; i < extents[axis]; i++) {
        std::array<int, 4> place{};
        place[axis] = i;
        const Expr here = at(place), step = ir::simplify(here - before);
        if (i == 1)
          address.steps[axis] = step;
        require(ir::equal(step, address.steps[axis]), "an address is not linear");
        before = here;
      }
      last[axis] = extents[axis] - 1;
      reached = reached + last[axis] * address.steps[axis];
    }
    require(ir::is_const_zero(ir::simplify(at(last) - reached)), "an address is not linear");
    return address;
  }
  static void require(bool holds, const char *what) {
    if (!holds)
      throw CompileError(std::string("no product of tiles: ") + what);
  }

  std::array<int, 4> extents{1, 1, 1, 1};
  ir::Stmt store;

private:
  void enter(const ir::For *loop) {
    for (int axis = 0; axis < 4; axis++)
      if (runsOver(loop, known[axis])) {
        const auto extent = ir::as_const_int(loop->extent);
        require(extent.has_value() && ir::is_const_zero(loop->min), "a loop has no constant extent");
        names[axis] = loop->name;
        extents[axis] = int(*extent);
        return;
      }
    require(false, "a loop is not a tile's");
  }
  const std::array<std::string, 4> known;
  std::array<std::string, 4> names;
};

class TilesPass : public ir::IRMutator {
public:
  TilesPass(std::string sum, std::string weights, std::string pair)
      : sum(std::move(sum)), weights(std::move(weights)), pair(std::move(pair)) {}

private:
  using IRMutator::visit;

  ir::Stmt visit(const ir::ProducerConsumer *op) override {
    if (!op->is_producer || op->name != sum)
      return IRMutator::visit(op);
    ir::Stmt whole = op->body;
    // Of what else was computed beside the level.
    while (const auto *consumer = whole.as<ir::ProducerConsumer>())
      whole = consumer->body;
    const auto *stages = whole.as<ir::Block>();
    Nest::require(stages, "sums have two stages");
    registers.clear();
    isInside = true;
    ir::Stmt body = mutate(stages->rest); // the first stage stores zeros
    isInside = false;
    Nest::require(!registers.empty(), "there are no loops of a tile");
    for (const auto &[place, tile] : registers) {
      const int rowBytes = tile.columns * 4;
      const Expr zero = intrinsic(Float(32, kRows * kColumns), "tile_zero",
                                  {ir::Cast::make(Int(16), tile.rows), ir::Cast::make(Int(16), rowBytes)});
      const Expr store =
          intrinsic(Int(32), "tile_store",
                    {tile.rows, rowBytes, ir::Variable::make(Handle(), sum), cast<int64_t>(Expr(4 * place)),
                     cast<int64_t>(Expr(4 * tile.rowStep)), valueOf(tile.name)});
      body = ir::Block::make({assign(tile.name, zero), body, ir::Evaluate::make(store)});
    }
    for (const auto &[place, tile] : registers)
      body = ir::Allocate::make(tile.name, Float(32, kRows * kColumns), MemoryType::AMXTile, {1},
                                ir::const_true(), body);
    return ir::ProducerConsumer::make_produce(op->name, body);
  }

  ir::Stmt visit(const ir::For *op) override {
    return isInside && runsOver(op, kChannels) ? multiply(Nest(op, pair)) : IRMutator::visit(op);
  }

  /// sum[s] = sum[s] + f32(a[..]) * f32(b[..]) in all loops of the nest, in one instruction.
  ir::Stmt multiply(const Nest &nest) {
    const auto *store = nest.store.as<ir::Store>();
    const auto *add = store ? store->value.as<ir::Add>() : nullptr;
    Nest::require(add, "it adds nothing");
    const bool productFirst = add->a.as<ir::Mul>();
    const auto *before = (productFirst ? add->b : add->a).as<ir::Load>();
    const auto *product = (productFirst ? add->a : add->b).as<ir::Mul>();
    Nest::require(before && product && before->name == store->name && ir::equal(before->index, store->index),
                  "it adds no products to a sum");
    const ir::Load *pixels = operand(product->a), *filter = operand(product->b);
    if (filter->name != weights)
      std::swap(pixels, filter);

    const auto [channels, rows, pairs, elements] = nest.extents;
    const Nest::Address s = nest.address(store->index), a = nest.address(pixels->index),
                        b = nest.address(filter->index);
    const auto place = ir::as_const_int(s.first), rowStep = ir::as_const_int(s.steps[Nest::Pixel]);
    Nest::require(place && rowStep && has(s, {1, {}, 0, 0}) && has(a, {0, {}, 2, 1}) &&
                      has(b, {2, 0, {}, 1}) && channels == kColumns && rows <= kRows && pairs <= kRows &&
                      elements == 2,
                  "elements do not lie as in a tile");
    auto [tile, isNew] = registers.try_emplace(int(*place));
    if (isNew)
      tile->second = {"tile" + std::to_string(registers.size()), rows, channels, int(*rowStep)};
    const Expr sums = intrinsic(Float(32, kRows * kColumns), "tile_matmul",
                                {rows, channels * 4, pairs * 4, valueOf(tile->second.name),
                                 read(pixels->name, a.first, a.steps[Nest::Pixel], rows, pairs * 4),
                                 read(filter->name, b.first, b.steps[Nest::Pair], pairs, channels * 4)});
    return assign(tile->second.name, sums);
  }

  /// The load of bf16 that `e` widens.
  static const ir::Load *operand(const Expr &e) {
    const auto *widened = e.as<ir::Cast>();
    const auto *load = widened ? widened->value.as<ir::Load>() : nullptr;
    Nest::require(load && load->type == BFloat(16), "an operand is not bf16");
    return load;
  }

  /// Whether the address takes these steps; any, where none is given.
  static bool has(const Nest::Address &address, const std::array<std::optional<int>, 4> &steps) {
    for (int axis = 0; axis < 4; axis++)
      if (steps[axis] && !ir::is_const(address.steps[axis], *steps[axis]))
        return false;
    return true;
  }

  static Expr read(const std::string &buffer, const Expr &first, const Expr &step, int rows, int bytes) {
    return intrinsic(BFloat(16, kRows * kRowBytes / 2), "tile_load",
                     {rows, bytes, ir::Variable::make(Handle(), buffer), cast<int64_t>(first) * 2,
                      cast<int64_t>(step) * 2});
  }

  struct Register {
    std::string name;
    int rows, columns, rowStep;
  };
  const std::string sum, weights, pair;
  std::map<int, Register> registers; ///< by the place of their first element among the sums
  bool isInside = false;
};

} // namespace

int amxPairs(const KernelSpec &spec) {
  const int all = spec.get("c") / 2;
  int pairs = std::min(all, kRows);
  while (pairs > 1 && all % pairs)
    pairs--;
  return pairs;
}

AmxTile::AmxTile(const KernelSpec &spec, int cv, Isa isa, const Source &in)
    : panel(cv * kColumns), w(denseParam("w", convPacking(spec, cv, isa, true).extents, BFloat(16))),
      r(0, 2, 0, spec.get("c") / 2, 0, spec.get("r", 1), 0, spec.get("r"), "r"), pairs(amxPairs(spec)) {
  sum(c, q, x, y, n) = 0.f;
  const Expr value = in(2 * r.y + r.x, x * spec.get("s", 1) + r.z * spec.get("d", 1),
                        y * spec.get("s") + r.w * spec.get("d"), n);
  sum(c, q, x, y, n) += cast<float>(w(2 * c + r.x, r.y, r.z, r.w, q)) * cast<float>(value);
}

Expr AmxTile::at(const Expr &c, const Expr &x, const Expr &y, const Expr &n) const {
  return sum(c % panel, c / panel, x, y, n);
}

void AmxTile::schedule(const LoopLevel &level, const Expr &isWide, int px, int least) {
  const Var tc("tc"), tx("tx"), tileC(kChannels), tileX(kPixels);
  const RVar steps("steps"), tileP(kPairs);
  sum.compute_at(level).store_in(MemoryType::Stack).bound(c, 0, panel).bound_extent(q, 1);
  auto scheduleTiles = [&](Stage stage, int rows) {
    stage.split(c, tc, tileC, kColumns)
        .split(x, tx, tileX, rows)
        .split(r.y, steps, tileP, pairs)
        .reorder({r.x, tileP, tileX, tileC, tc, tx, y, steps, r.z, r.w, q, n})
        .unroll(tc)
        .unroll(tx)
        .unroll(y);
  };
  Stage few = sum.update();
  scheduleTiles(few.specialize(isWide), std::min(px, kRows));
  scheduleTiles(few, least);
}

void AmxTile::lower(Pipeline pipeline) const {
  pipeline.add_custom_lowering_pass(new TilesPass(sum.name(), w.name(), r.x.name()));
}

} // namespace segc::schedules
