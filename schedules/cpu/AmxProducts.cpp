/// \file What loops over products of tiles become.
///
/// Halide 21 finds tiles of AMX itself (ExtractTileOperations.cpp), one register a Func and in expressions of
/// certain shapes only. The pass here takes a loop nest that multiplies one tile, reads from its addresses
/// how far apart rows lie, and checks at all places of each axis and at the last of all that they are linear;
/// Halide's code generator knows the instructions.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/AmxProducts.h"
#include "schedules/Build.h"
#include "schedules/cpu/Prefetch.h"
#include <array>
#include <map>
#include <optional>
#include <vector>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {

const char *const kAmxChannels = "tile_c", *const kAmxPixels = "tile_x", *const kAmxPairs = "tile_p",
                  *const kAmxSteps = "tile_step";

namespace {

const char *const kElement = "amx_element", *const kFetching = "amx_fetching";

constexpr int kRows = kAmxRows, kColumns = kAmxColumns, kRowBytes = 64; // of a register

/// The variable that a loop runs over, without the stage that it belongs to.
std::string variableOf(const ir::For *loop) { return loop->name.substr(loop->name.rfind('.') + 1); }
bool goesOn(const ir::For *loop) { return variableOf(loop).rfind(kAmxSteps, 0) == 0; }

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
  Nest(const ir::For *loop, const std::string &pair) : known{kAmxChannels, kAmxPixels, kAmxPairs, pair} {
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
  Expr at(const std::array<int, 4> &place, const Expr &e) const {
    std::map<std::string, Expr> values;
    for (int axis = 0; axis < 4; axis++)
      if (!names[axis].empty())
        values[names[axis]] = place[axis];
    return ir::simplify(ir::substitute(values, e));
  }
  Address address(const Expr &index) const {
    Address address{at({}, index), {}};
    std::array<int, 4> last{};
    Expr reached = address.first;
    for (int axis = 0; axis < 4; axis++) {
      address.steps[axis] = 0;
      Expr before = address.first;
      for (int i = 1; i < extents[axis]; i++) {
        std::array<int, 4> place{};
        place[axis] = i;
        const Expr here = at(place, index), step = ir::simplify(here - before);
        if (i == 1)
          address.steps[axis] = step;
        require(ir::equal(step, address.steps[axis]), "an address is not linear");
        before = here;
      }
      last[axis] = extents[axis] - 1;
      reached = reached + last[axis] * address.steps[axis];
    }
    require(ir::is_const_zero(ir::simplify(at(last, index) - reached)), "an address is not linear");
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
    const auto extent = ir::as_const_int(loop->extent);
    require(extent.has_value() && ir::is_const_zero(loop->min), "a loop has no constant extent");
    const std::string variable = variableOf(loop);
    for (int axis = 0; axis < 4; axis++)
      if (variable == known[axis]) {
        names[axis] = loop->name;
        extents[axis] = int(*extent);
        return;
      }
    require(false, "a loop is not a tile's");
  }
  const std::array<std::string, 4> known;
  std::array<std::string, 4> names;
};

class ProductsPass : public ir::IRMutator {
public:
  ProductsPass(std::string sum, std::string weights, std::string pair, bool inParts)
      : sum(std::move(sum)), weights(std::move(weights)), pair(std::move(pair)), inParts(inParts) {}

private:
  using IRMutator::visit;

  ir::Stmt visit(const ir::ProducerConsumer *op) override {
    if (!op->is_producer || op->name != sum)
      return IRMutator::visit(op);
    return ir::ProducerConsumer::make_produce(op->name, stagesOf(op->body));
  }

  /// The stages of `sum` in `whole`, in which something else may be computed first, or be named.
  ir::Stmt stagesOf(const ir::Stmt &whole) {
    if (const auto *consumer = whole.as<ir::ProducerConsumer>())
      return stagesOf(consumer->body);
    if (const auto *let = whole.as<ir::LetStmt>())
      return ir::LetStmt::make(let->name, let->value, stagesOf(let->body));
    const auto *stages = whole.as<ir::Block>();
    Nest::require(stages, "sums have two stages");
    isInside = true;
    wasFound = false;
    ir::Stmt body = mutate(stages->rest);
    isInside = false;
    Nest::require(wasFound, "there are no loops of a tile");
    return inParts ? ir::Block::make(stages->first, body) : body; // the first stage stores zeros
  }

  ir::Stmt visit(const ir::For *op) override {
    if (!isInside)
      return IRMutator::visit(op);
    if (variableOf(op) == kAmxChannels) {
      if (isSumming)
        return multiply(Nest(op, pair));
      registers.clear();
      return withSums(multiply(Nest(op, pair)));
    }
    if (isSumming || !goesOn(op))
      return IRMutator::visit(op);
    registers.clear();
    lets.clear();
    isSumming = true;
    ir::Stmt loops = withSums(IRMutator::visit(op));
    isSumming = false;
    return loops;
  }

  ir::Stmt visit(const ir::LetStmt *op) override {
    if (isSumming)
      lets.emplace_back(op->name, op->value);
    ir::Stmt let = IRMutator::visit(op);
    if (isSumming)
      lets.pop_back();
    return let;
  }

  /// `body` with zeros, or what lies in memory, before its sums and stores behind.
  ir::Stmt withSums(ir::Stmt body) const {
    for (const Register &r : registers) {
      const Expr rowBytes = r.columns * 4, memory = ir::Variable::make(Handle(), sum),
                 first = cast<int64_t>(r.first) * 4, rowStep = cast<int64_t>(Expr(4 * r.rowStep));
      // Halide knows loads of bf16 only; the register is the same.
      const Expr begin =
          inParts ? reinterpret(Float(32, kRows * kColumns),
                                intrinsic(BFloat(16, kRows * kRowBytes / 2), "tile_load",
                                          {r.rows, rowBytes, memory, first, rowStep}))
                  : intrinsic(Float(32, kRows * kColumns), "tile_zero",
                              {ir::Cast::make(Int(16), r.rows), ir::Cast::make(Int(16), rowBytes)});
      const Expr store =
          intrinsic(Int(32), "tile_store", {r.rows, rowBytes, memory, first, rowStep, valueOf(r.name)});
      body = ir::Block::make({assign(r.name, begin), body, ir::Evaluate::make(store)});
    }
    if (isSumming && !inParts)
      body = ir::Block::make(storeCorner(registers.front(), 0.f), body);
    for (const Register &r : registers)
      body = ir::Allocate::make(r.name, Float(32, kRows * kColumns), MemoryType::AMXTile, {1},
                                ir::const_true(), body);
    return body;
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
    Operand pixels = operand(product->a), filter = operand(product->b);
    if (filter.name != weights)
      std::swap(pixels, filter);

    const auto [channels, rows, pairs, elements] = nest.extents;
    const Nest::Address s = nest.address(store->index), a = nest.address(pixels.index),
                        b = nest.address(filter.index);
    const auto rowStep = ir::as_const_int(s.steps[Nest::Pixel]);
    Nest::require(rowStep && has(s, {1, {}, 0, 0}) && has(a, {0, {}, 2, 1}) && has(b, {2, 0, {}, 1}) &&
                      channels == kColumns && rows <= kRows && pairs <= kRows && elements == 2,
                  "elements do not lie as in a tile");
    Expr first = s.first; // in what is known outside the loops over steps
    for (auto let = lets.rbegin(); let != lets.rend(); ++let)
      first = ir::substitute(let->first, let->second, first);
    const std::string name = registerOf({"", first, rows, channels, int(*rowStep)});
    const Expr sums = intrinsic(Float(32, kRows * kColumns), "tile_matmul",
                                {rows, channels * 4, pairs * 4, valueOf(name),
                                 read(pixels.name, a.first, a.steps[Nest::Pixel], rows, pairs * 4),
                                 read(filter.name, b.first, b.steps[Nest::Pair], pairs, channels * 4)});
    ir::Stmt step = assign(name, sums);
    if (const Register &one = registers.front(); name == one.name) { // once for all of them
      if (isSumming)
        step = ir::Block::make(storeCorner(one, corner(one) + 1.f), step);
      if (filter.lines)
        step =
            ir::Block::make(fetch(filter.name, nest.at({}, filter.index + filter.ahead), filter.lines), step);
    }
    return step;
  }

  static ir::Stmt fetch(const std::string &buffer, const Expr &element, int lines) {
    constexpr int kLine = 64; // bytes
    const Expr first = reinterpret(UInt(64), ir::Variable::make(Handle(), buffer)) +
                       cast(UInt(64), cast(Int(64), element) * 2);
    std::vector<ir::Stmt> all;
    for (int line = 0; line < lines; line++)
      all.push_back(fetchLine(first + Expr(uint64_t(line * kLine))));
    return ir::Block::make(all);
  }

  struct Register {
    std::string name;
    Expr first; ///< element of `sum` in its corner
    int rows, columns, rowStep;
  };

  // A Xeon's unit for floating point numbers falls asleep after some 600 ns without any, and what stores a
  // tile needs it: waking up takes 300 ns (blocks of 36 steps of four products and their stores 1.13 us, with
  // one addition a step 0.82). So each step adds to a number where the sums will be stored, which no compiler
  // can leave out, as it does not know what loads of tiles read.
  Expr corner(const Register &r) const {
    return ir::Load::make(Float(32), sum, r.first, {}, {}, ir::const_true(), {});
  }
  ir::Stmt storeCorner(const Register &r, const Expr &value) const {
    return ir::Store::make(sum, value, r.first, Halide::Parameter(), ir::const_true(), {});
  }

  /// The register with the sums of `wanted`, a new one where it is the first product.
  std::string registerOf(Register wanted) {
    wasFound = true;
    for (const Register &r : registers) {
      const auto apart = ir::as_const_int(ir::simplify(wanted.first - r.first));
      Nest::require(apart.has_value(), "sums are any distance apart");
      if (*apart == 0)
        return r.name;
    }
    wanted.name = "tile" + std::to_string(registersMade++);
    registers.push_back(wanted);
    return wanted.name;
  }

  /// Where the bf16 lies that is widened, in elements, and what is fetched.
  struct Operand {
    std::string name;
    Expr index, ahead = {};
    int lines = 0;
  };
  /// What `e` widens, a load or an element behind one of a word.
  static Operand operand(const Expr &e) {
    const auto *widened = e.as<ir::Cast>();
    Expr value = widened ? widened->value : Expr();
    if (const auto *fetching = value.as<ir::Call>(); fetching && fetching->name == kFetching) {
      const auto *load = fetching->args[0].as<ir::Load>();
      Nest::require(load && load->type == BFloat(16), "an operand is not bf16");
      return {load->name, load->index, fetching->args[1], int(*ir::as_const_int(fetching->args[2]))};
    }
    if (const auto *element = value.as<ir::Call>(); element && element->name == kElement) {
      const auto *word = element->args[0].as<ir::Load>();
      Nest::require(word && word->type == UInt(32), "an element does not lie in words");
      return {word->name, word->index * 2 + element->args[1]};
    }
    const auto *load = value.as<ir::Load>();
    Nest::require(load && load->type == BFloat(16), "an operand is not bf16");
    return {load->name, load->index};
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

  const std::string sum, weights, pair;
  const bool inParts;              ///< sums begin with what lies in memory
  std::vector<Register> registers; ///< of the sums at hand
  int registersMade = 0;
  std::vector<std::pair<std::string, Expr>> lets; ///< inside the loops over steps
  bool isInside = false;                          ///< the update of `sum`
  bool isSumming = false;                         ///< loops over steps
  bool wasFound = false;
};

} // namespace

Expr amxElement(const Expr &word, const Expr &i) {
  return ir::Call::make(BFloat(16), kElement, {word, i}, ir::Call::PureExtern);
}

Expr amxFetching(const Expr &element, const Expr &ahead, int lines) {
  return ir::Call::make(BFloat(16), kFetching, {element, ahead, lines}, ir::Call::PureExtern);
}

void lowerAmxProducts(Pipeline pipeline, const Func &sum, const std::string &weights, const RVar &pair,
                      bool inParts) {
  pipeline.add_custom_lowering_pass(new ProductsPass(sum.name(), weights, pair.name(), inParts));
}

} // namespace segc::schedules
