/// \file Problem strings: the table of ops with their fields, printing and parsing.
// SPDX-License-Identifier: MIT
#include "schedules/KernelSpec.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace segc::schedules {
namespace {

/// `width` 1: an integer, 2: a pair height x width, 0: a word, one of `choices` (any number if empty).
struct Field {
  std::string name;
  int width = 1;
  std::vector<std::string> choices = {};
};

struct Op {
  std::string name;
  std::vector<Field> fields;
  bool epilogues = false;
};

/// The ops of docs/kernels.md.
const std::vector<Op> &ops() {
  static const std::vector<std::string> types = {"f32", "f16", "bf16", "u8", "i8", "i32"};
  static const Field from{"from", 0, {"conv", "deconv"}};
  static const std::vector<Op> table = {
      {"conv", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"d", 2}, {"g"}, {"in"}, {"out"}}, true},
      {"conv_wgrad", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"d", 2}, {"g"}, {"in"}, {"dy"}}},
      {"unpack_wgrad", {{"panel"}, {"r", 2}, {"lanes", 0, {"k", "c"}}}},
      {"maxpool", {{"c"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"out"}, {"idx"}}, true},
      {"unpool", {{"c"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"idx"}, {"out"}}, true},
      {"upsample", {{"c"}, {"in"}, {"out"}, {"mode", 0, {"nearest", "bilinear"}}, {"align"}}, true},
      {"pointwise", {{"c"}, {"in"}, {"out"}}, true},
      {"softmax", {{"c"}, {"in"}, {"out"}}},
      {"log_softmax", {{"c"}, {"in"}, {"out"}}},
      {"argmax", {{"c"}, {"in"}, {"out"}}},
      {"pad", {{"c"}, {"in"}, {"out"}, {"mode", 0, {"zero", "reflect", "replicate"}}}},
      {"import", {{"c"}, {"out"}, {"from", 0, types}}},
      {"export", {{"c"}, {"in"}, {"to", 0, types}}},
      {"norm_scale", {{"gamma"}, {"eps", 0}}},
      {"norm_shift", {{"beta"}, {"bias"}}},
      {"pack_vector", {}},
      {"pack_conv", {{"panel"}, {"g"}, {"scale"}, from, {"tap", 2}, {"step", 2}}},
      {"pack_depthwise", {{"scale"}, from, {"tap", 2}, {"step", 2}}},
      {"pack_winograd", {{"panel"}, {"scale"}, from, {"tap", 2}, {"step", 2}}},
  };
  return table;
}

const Op *findOp(const std::string &name) {
  for (const Op &op : ops())
    if (op.name == name)
      return &op;
  return nullptr;
}

enum class Operand { None, Stride, Value };
struct EpilogueOp {
  const char *name;
  Operand operand;
};
constexpr EpilogueOp kEpilogues[] = {
    {"bias", Operand::None},        {"affine", Operand::None},      {"add", Operand::Stride},
    {"mul", Operand::Stride},       {"sub", Operand::Stride},       {"relu", Operand::None},
    {"relu6", Operand::None},       {"leaky_relu", Operand::Value}, {"prelu", Operand::None},
    {"elu", Operand::Value},        {"selu", Operand::None},        {"gelu", Operand::None},
    {"silu", Operand::None},        {"sigmoid", Operand::None},     {"tanh", Operand::None},
    {"hardsigmoid", Operand::None}, {"hardswish", Operand::None},
};
const EpilogueOp *findEpilogue(const std::string &name) {
  for (const EpilogueOp &e : kEpilogues)
    if (name == e.name)
      return &e;
  return nullptr;
}

/// The shortest decimal text that reads back as the same number.
std::string printNumber(double value) {
  char text[40];
  for (int digits = 1; digits <= 17; digits++) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value)
      break;
  }
  return text;
}

/// A non-negative decimal integer at most nine digits long, nothing else.
bool parseInt(const std::string &text, int &value) {
  if (text.empty() || text.size() > 9 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  value = std::atoi(text.c_str());
  return true;
}
bool parseNumber(const std::string &text, double &value) {
  char *end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == 0;
}

/// "64" or "3x3".
bool parseInts(const std::string &text, int width, std::vector<int> &values) {
  values.assign(width, 0);
  if (width == 1)
    return parseInt(text, values[0]);
  const size_t cross = text.find('x');
  return cross != std::string::npos && parseInt(text.substr(0, cross), values[0]) &&
         parseInt(text.substr(cross + 1), values[1]);
}

/// The epilogue written as `text` without its '+', or a sentence.
std::variant<Epilogue, std::string> parseEpilogue(const std::string &text) {
  const size_t open = text.find('(');
  Epilogue e;
  e.op = text.substr(0, open);
  const EpilogueOp *known = findEpilogue(e.op);
  if (!known)
    return "unknown epilogue '+" + text + "'";
  const bool hasOperand = open != std::string::npos && text.back() == ')';
  if (hasOperand != (known->operand != Operand::None) || (open != std::string::npos && !hasOperand))
    return "'+" + text + "': " + e.op +
           (known->operand == Operand::None ? " takes no operand" : " needs one number in parentheses");
  if (!hasOperand)
    return e;
  const std::string operand = text.substr(open + 1, text.size() - open - 2);
  if (known->operand == Operand::Stride ? !parseInt(operand, e.stride) || e.stride == 0
                                        : !parseNumber(operand, e.value))
    return "'+" + text + "': '" + operand + "' is no " +
           (known->operand == Operand::Stride ? "pixel stride" : "number");
  return e;
}

} // namespace

int Epilogue::operands() const {
  return op == "affine" ? 2 : isTensor() || op == "bias" || op == "prelu" ? 1 : 0;
}

int KernelSpec::get(const std::string &field, int index) const {
  auto it = fields.find(field);
  return it == fields.end() || index >= int(it->second.size()) ? 0 : it->second[index];
}

std::string KernelSpec::word(const std::string &name) const {
  auto it = words.find(name);
  return it == words.end() ? "" : it->second;
}

std::string KernelSpec::print() const {
  std::string text = op;
  if (const Op *known = findOp(op))
    for (const Field &f : known->fields) {
      text += " " + f.name;
      if (f.width == 0)
        text += "=" + word(f.name);
      else
        text += std::to_string(get(f.name)) + (f.width == 2 ? "x" + std::to_string(get(f.name, 1)) : "");
    }
  for (const Epilogue &e : epilogues) {
    text += " +" + e.op;
    const EpilogueOp *known = findEpilogue(e.op);
    if (known && known->operand != Operand::None)
      text +=
          "(" + (known->operand == Operand::Stride ? std::to_string(e.stride) : printNumber(e.value)) + ")";
  }
  return text + " : " + dtype;
}

std::variant<KernelSpec, std::string> KernelSpec::parse(const std::string &text) {
  auto fail = [&](const std::string &what) { return "kernel problem '" + text + "': " + what; };
  std::istringstream in(text);
  KernelSpec spec;
  in >> spec.op;
  const Op *op = findOp(spec.op);
  if (!op)
    return fail("unknown op '" + spec.op + "'");
  std::string token;
  for (const Field &f : op->fields) {
    if (!(in >> token) || token.compare(0, f.name.size(), f.name) != 0)
      return fail("field '" + f.name + "' expected" + (in ? ", not '" + token + "'" : ""));
    const std::string value = token.substr(f.name.size());
    if (f.width) {
      if (!parseInts(value, f.width, spec.fields[f.name]))
        return fail("'" + token + "': " + f.name + " needs " +
                    (f.width == 2 ? "a pair like 3x3" : "a whole number"));
      continue;
    }
    const std::string choice = value.empty() ? "" : value.substr(1);
    double number;
    const bool known = f.choices.empty()
                           ? parseNumber(choice, number)
                           : std::find(f.choices.begin(), f.choices.end(), choice) != f.choices.end();
    if (value.empty() || value[0] != '=' || !known)
      return fail("'" + token + "': unknown value of " + f.name);
    spec.words[f.name] = choice;
  }
  while (in >> token && token != ":") {
    if (token[0] != '+')
      return fail("unexpected '" + token + "'");
    if (!op->epilogues)
      return fail(spec.op + " takes no epilogues");
    auto epilogue = parseEpilogue(token.substr(1));
    if (auto *error = std::get_if<std::string>(&epilogue))
      return fail(*error);
    spec.epilogues.push_back(std::get<Epilogue>(epilogue));
  }
  if (token != ":" || !(in >> spec.dtype))
    return fail("': <dtype>' expected at the end");
  if (spec.dtype != "f32")
    return fail("dtype '" + spec.dtype + "' is not supported (f32)");
  if (in >> token)
    return fail("unexpected '" + token + "' after the dtype");
  return spec;
}

} // namespace segc::schedules
