/// \file Substitution of parameters.
// SPDX-License-Identifier: MIT
#include "compiler/importer/Scope.h"
#include "llvm/ADT/StringExtras.h"

namespace segc {

bool isName(llvm::StringRef text) {
  if (text.empty() || text.size() > 128 || !(llvm::isAlpha(text[0]) || text[0] == '_'))
    return false;
  return llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; });
}

static bool isInputReference(llvm::StringRef text) {
  if (!text.consume_front("$in"))
    return false;
  return text.empty() || (text.consume_front(".") && !text.empty() && llvm::all_of(text, llvm::isDigit));
}

namespace {

/// "$name", optionally followed by one of * / + - and an integer.
struct Expression {
  llvm::StringRef name;
  char op = 0;
  int64_t operand = 0;
};

std::optional<Expression> parse(llvm::StringRef text) {
  Expression expression;
  if (!text.consume_front("$"))
    return std::nullopt;
  size_t end = text.find_first_of("*/+-");
  expression.name = text.substr(0, end).trim();
  if (!isName(expression.name))
    return std::nullopt;
  if (end == llvm::StringRef::npos)
    return expression;
  expression.op = text[end];
  if (text.drop_front(end + 1).trim().getAsInteger(10, expression.operand))
    return std::nullopt;
  return expression;
}

/// Empty on success, else what is wrong.
std::string compute(const Expression &e, Json &value) {
  if (!value.isNumber())
    return "parameter '" + e.name.str() + "' is " + value.kindName() + ": only numbers can be computed with";
  if (!value.isInteger()) {
    double k = static_cast<double>(e.operand);
    if (e.op == '/' && e.operand == 0)
      return "division by zero";
    value.real = e.op == '*' ? value.real * k : e.op == '/' ? value.real / k : e.op == '+' ? value.real + k : value.real - k;
    return "";
  }
  int64_t v = value.integer, result = 0;
  bool overflow = false;
  switch (e.op) {
  case '*':
    overflow = __builtin_mul_overflow(v, e.operand, &result);
    break;
  case '+':
    overflow = __builtin_add_overflow(v, e.operand, &result);
    break;
  case '-':
    overflow = __builtin_sub_overflow(v, e.operand, &result);
    break;
  default:
    if (e.operand == 0)
      return "division by zero";
    if (e.operand == -1)
      overflow = __builtin_sub_overflow(int64_t(0), v, &result);
    else if (v % e.operand != 0)
      return "'" + std::to_string(v) + "/" + std::to_string(e.operand) + "' is not exact";
    else
      result = v / e.operand;
  }
  if (overflow)
    return "the result of '$" + e.name.str() + "' " + e.op + " " + std::to_string(e.operand) + " is out of range";
  value.integer = result;
  return "";
}

class Substituter {
public:
  Substituter(Diagnostics &diagnostics, std::shared_ptr<const Scope> scope, llvm::StringRef layer)
      : diagnostics(diagnostics), scope(std::move(scope)), layer(layer) {}

  std::optional<Substituted> run(const Json &value) {
    if (value.isString() && llvm::StringRef(value.string).starts_with("$") && !isInputReference(value.string))
      return parameter(value);
    Substituted result{value, scope};
    for (Json &item : result.value.items) {
      auto inner = run(item);
      if (!inner)
        return std::nullopt;
      item = inner->value;
    }
    for (Json::Member &member : result.value.members) {
      auto inner = run(member.value);
      if (!inner)
        return std::nullopt;
      member.value = inner->value;
    }
    return result;
  }

private:
  std::optional<Substituted> parameter(const Json &text) {
    auto expression = parse(text.string);
    if (!expression) {
      diagnostics.error(text.offset, layer, "'" + text.string + "' is no parameter expression: \"$p\", \"$p*k\", \"$p/k\", \"$p+k\" or \"$p-k\" with an integer k");
      return std::nullopt;
    }
    auto found = scope->parameters.find(expression->name);
    if (found == scope->parameters.end()) {
      std::vector<std::string> known;
      for (const auto &entry : scope->parameters)
        known.push_back(entry.first().str());
      llvm::sort(known);
      diagnostics.error(text.offset, layer, "unknown parameter '" + expression->name + "'" + suggestion(expression->name, known));
      return std::nullopt;
    }
    Substituted result{found->second.value, found->second.origin ? found->second.origin : scope};
    result.value.offset = text.offset;
    if (expression->op) {
      std::string problem = compute(*expression, result.value);
      if (!problem.empty()) {
        diagnostics.error(text.offset, layer, problem);
        return std::nullopt;
      }
    }
    return result;
  }

  Diagnostics &diagnostics;
  std::shared_ptr<const Scope> scope;
  llvm::StringRef layer;
};

} // namespace

std::optional<Substituted> substitute(Diagnostics &diagnostics, const std::shared_ptr<const Scope> &scope, const Json &value,
                                      llvm::StringRef layer) {
  return Substituter(diagnostics, scope, layer).run(value);
}

} // namespace segc
