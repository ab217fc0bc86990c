/// \file Extents as expressions: the one arithmetic in which every shape function is written.
///
/// Known numbers fold, `?` are symbols, equal expressions share a node. Type inference reads the constants
/// back, the plan keeps the nodes, and the compiled library's reshape() evaluates the same table.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace segc::hg {

/// A node of a SizeTable.
using Size = uint32_t;

class SizeTable {
public:
  enum class Kind : uint32_t { Constant, Symbol, Add, Sub, Mul, Div, Min, Max, Product };
  /// Constant: value. Symbol: axis b of input a, default in value (0: none). Mul, Div: size[a] op value.
  /// Product: size[a] * size[b].
  struct Node {
    Kind kind;
    uint32_t a = 0, b = 0;
    int64_t value = 0;
  };

  Size constant(int64_t value);
  /// Axis `axis` (0 N, 1 C, 2 H, 3 W) of input `input`.
  Size symbol(uint32_t input, uint32_t axis, int64_t defaultValue);
  Size add(Size a, Size b);
  Size sub(Size a, Size b);
  Size plus(Size a, int64_t k);
  Size mul(Size a, int64_t k);
  Size div(Size a, int64_t k); ///< rounds towards minus infinity; k > 0
  Size min(Size a, Size b);
  Size max(Size a, Size b);
  /// The product of all, in a normal form: equal products are one node.
  Size product(llvm::ArrayRef<Size> factors);
  /// product(numerator) / product(denominator), rounded down if it is no whole number; none where it would
  /// divide by what is no constant.
  std::optional<Size> quotient(llvm::ArrayRef<Size> numerator, llvm::ArrayRef<Size> denominator);

  /// Adds a node as it is, unfolded: for reading a table back. Returns its index.
  Size append(Node node) { return intern(node); }

  std::optional<int64_t> constantValue(Size size) const;
  const std::vector<Node> &nodes() const { return table; }
  /// An arithmetic overflow of 64 bits, or a constant beyond 2^40, happened: shapes are then meaningless.
  bool overflowed() const { return overflow; }
  /// The values of all nodes, with `symbols[input][axis]` in place of the defaults where given (> 0).
  /// What depends on an extent that neither names is 0.
  std::vector<int64_t> evaluate(llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> symbols = {}) const;
  /// "(in0.h + 1) / 2"
  std::string print(Size size) const;

  /// What must hold at run time: size[a] == size[b], or size[a] >= least.
  struct Requirement {
    Size a, b;
    bool equal;
    int64_t least;
    std::string message;
  };
  void require(Requirement requirement);
  const std::vector<Requirement> &requirements() const { return required; }

private:
  Size intern(Node node);
  Size checked(bool overflowHappened, int64_t value);
  /// A product taken apart: a number and what is none, in order.
  struct Factors {
    int64_t number = 1;
    llvm::SmallVector<Size> others;
  };
  Factors factorsOf(llvm::ArrayRef<Size> sizes);
  Size multiply(const Factors &factors);
  std::vector<Node> table;
  std::map<std::tuple<Kind, uint32_t, uint32_t, int64_t>, Size> known;
  std::vector<Requirement> required;
  bool overflow = false;
};

/// floor(a / b) for b > 0.
int64_t floorDiv(int64_t a, int64_t b);

} // namespace segc::hg
