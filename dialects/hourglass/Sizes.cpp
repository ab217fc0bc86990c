/// \file Interning, folding, evaluation and printing of extent expressions.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Sizes.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace segc::hg {

int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

Size SizeTable::intern(Node node) {
  auto key = std::make_tuple(node.kind, node.a, node.b, node.value);
  auto [it, isNew] = known.try_emplace(key, static_cast<Size>(table.size()));
  if (isNew)
    table.push_back(node);
  return it->second;
}

Size SizeTable::checked(bool overflowHappened, int64_t value) {
  constexpr int64_t kLimit = int64_t(1) << 40;
  if (overflowHappened || value > kLimit || value < -kLimit) {
    overflow = true;
    value = 0;
  }
  return intern({Kind::Constant, 0, 0, value});
}

Size SizeTable::constant(int64_t value) { return checked(false, value); }

Size SizeTable::symbol(uint32_t input, uint32_t axis, int64_t defaultValue) {
  return intern({Kind::Symbol, input, axis, defaultValue});
}

std::optional<int64_t> SizeTable::constantValue(Size size) const {
  if (table[size].kind == Kind::Constant)
    return table[size].value;
  return std::nullopt;
}

Size SizeTable::add(Size a, Size b) {
  auto ca = constantValue(a), cb = constantValue(b);
  if (ca && cb) {
    int64_t sum;
    bool wrapped = __builtin_add_overflow(*ca, *cb, &sum);
    return checked(wrapped, sum);
  }
  if (ca && *ca == 0)
    return b;
  if (cb && *cb == 0)
    return a;
  if (ca || a > b)
    std::swap(a, b), std::swap(ca, cb);
  // (x + c) + d = x + (c + d), so that chains of paddings meet their inverses.
  const Node &left = table[a];
  if (cb && left.kind == Kind::Add)
    if (auto inner = constantValue(left.b)) {
      Size base = left.a;
      return add(base, constant(*inner + *cb));
    }
  return intern({Kind::Add, a, b, 0});
}

Size SizeTable::plus(Size a, int64_t k) { return add(a, constant(k)); }

Size SizeTable::sub(Size a, Size b) {
  if (a == b)
    return constant(0);
  if (auto cb = constantValue(b))
    return plus(a, -*cb);
  return intern({Kind::Sub, a, b, 0});
}

Size SizeTable::mul(Size a, int64_t k) {
  if (auto ca = constantValue(a)) {
    int64_t product;
    bool wrapped = __builtin_mul_overflow(*ca, k, &product);
    return checked(wrapped, product);
  }
  if (k == 1)
    return a;
  if (k == 0)
    return constant(0);
  return intern({Kind::Mul, a, 0, k});
}

Size SizeTable::div(Size a, int64_t k) {
  if (auto ca = constantValue(a))
    return constant(floorDiv(*ca, k));
  if (k == 1)
    return a;
  const Node node = table[a];
  // (x * m) / k = x * (m / k) when k divides m; (x / j) / k = x / (j * k).
  if (node.kind == Kind::Mul && node.value % k == 0)
    return mul(node.a, node.value / k);
  if (node.kind == Kind::Div)
    return div(node.a, node.value * k);
  // (x * m + c) / k with k | m: x * (m / k) + c / k.
  if (node.kind == Kind::Add)
    if (auto c = constantValue(node.b)) {
      const Node inner = table[node.a];
      if (inner.kind == Kind::Mul && inner.value % k == 0)
        return plus(mul(inner.a, inner.value / k), floorDiv(*c, k));
      if (*c % k == 0)
        return plus(div(node.a, k), *c / k);
    }
  return intern({Kind::Div, a, 0, k});
}

Size SizeTable::min(Size a, Size b) {
  auto ca = constantValue(a), cb = constantValue(b);
  if (ca && cb)
    return constant(std::min(*ca, *cb));
  return a == b ? a : intern({Kind::Min, std::min(a, b), std::max(a, b), 0});
}

Size SizeTable::max(Size a, Size b) {
  auto ca = constantValue(a), cb = constantValue(b);
  if (ca && cb)
    return constant(std::max(*ca, *cb));
  return a == b ? a : intern({Kind::Max, std::min(a, b), std::max(a, b), 0});
}

SizeTable::Factors SizeTable::factorsOf(llvm::ArrayRef<Size> sizes) {
  Factors result;
  llvm::SmallVector<Size> left(sizes.begin(), sizes.end());
  while (!left.empty()) {
    Size size = left.pop_back_val();
    const Node &node = table[size];
    bool isProduct = node.kind == Kind::Product;
    if (node.kind == Kind::Constant || node.kind == Kind::Mul)
      overflow |= __builtin_mul_overflow(result.number, node.value, &result.number);
    if (isProduct)
      left.push_back(node.b);
    if (isProduct || node.kind == Kind::Mul)
      left.push_back(node.a);
    else if (node.kind != Kind::Constant)
      result.others.push_back(size);
  }
  llvm::sort(result.others);
  return result;
}

Size SizeTable::multiply(const Factors &factors) {
  if (factors.others.empty())
    return constant(factors.number);
  Size result = factors.others[0];
  for (Size next : llvm::ArrayRef<Size>(factors.others).drop_front())
    result = intern({Kind::Product, result, next, 0});
  return mul(result, factors.number);
}

Size SizeTable::product(llvm::ArrayRef<Size> factors) { return multiply(factorsOf(factors)); }

std::optional<Size> SizeTable::quotient(llvm::ArrayRef<Size> numerator, llvm::ArrayRef<Size> denominator) {
  Factors above = factorsOf(numerator), below = factorsOf(denominator);
  for (Size factor : below.others) {
    auto *found = llvm::find(above.others, factor);
    if (found == above.others.end())
      return std::nullopt;
    above.others.erase(found);
  }
  if (below.number < 1)
    return std::nullopt;
  return div(multiply(above), below.number);
}

void SizeTable::require(Requirement requirement) {
  for (const Requirement &known : required)
    if (known.a == requirement.a && known.b == requirement.b && known.equal == requirement.equal &&
        known.least == requirement.least)
      return;
  required.push_back(std::move(requirement));
}

std::vector<int64_t> SizeTable::evaluate(llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> symbols) const {
  std::vector<int64_t> values;
  std::vector<bool> known;
  values.reserve(table.size());
  for (const Node &node : table) {
    bool isLeaf = node.kind == Kind::Constant || node.kind == Kind::Symbol;
    bool isBinary = !isLeaf && node.kind != Kind::Mul && node.kind != Kind::Div;
    int64_t a = isLeaf ? 0 : values[node.a], b = isBinary ? values[node.b] : 0, value = 0;
    bool isKnown = (isLeaf || known[node.a]) && (!isBinary || known[node.b]);
    switch (node.kind) {
    case Kind::Constant:
      value = node.value;
      break;
    case Kind::Symbol: {
      int64_t given =
          node.a < symbols.size() && node.b < symbols[node.a].size() ? symbols[node.a][node.b] : 0;
      value = given > 0 ? given : node.value;
      isKnown = value > 0;
      break;
    }
    case Kind::Add:
      value = a + b;
      break;
    case Kind::Sub:
      value = a - b;
      break;
    case Kind::Mul:
      value = a * node.value;
      break;
    case Kind::Div:
      value = floorDiv(a, node.value);
      break;
    case Kind::Min:
      value = std::min(a, b);
      break;
    case Kind::Max:
      value = std::max(a, b);
      break;
    case Kind::Product:
      value = a * b;
      break;
    }
    values.push_back(isKnown ? value : 0);
    known.push_back(isKnown);
  }
  return values;
}

std::string SizeTable::print(Size size) const {
  const Node &node = table[size];
  auto binary = [&](const char *op) { return "(" + print(node.a) + op + print(node.b) + ")"; };
  switch (node.kind) {
  case Kind::Constant:
    return std::to_string(node.value);
  case Kind::Symbol:
    return "in" + std::to_string(node.a) + "." + "nchw"[node.b];
  case Kind::Add:
    return binary(" + ");
  case Kind::Sub:
    return binary(" - ");
  case Kind::Mul:
    return print(node.a) + " * " + std::to_string(node.value);
  case Kind::Div:
    return "(" + print(node.a) + " / " + std::to_string(node.value) + ")";
  case Kind::Min:
    return "min(" + print(node.a) + ", " + print(node.b) + ")";
  case Kind::Max:
    return "max(" + print(node.a) + ", " + print(node.b) + ")";
  case Kind::Product:
    return print(node.a) + " * " + print(node.b);
  }
  return "";
}

} // namespace segc::hg
