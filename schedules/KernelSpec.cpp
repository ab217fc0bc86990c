/// \file Problem strings: the table of ops with their fields, printing and parsing.
// SPDX-License-Identifier: MIT
#include "schedules/KernelSpec.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace segc::schedules {
namespace {

/// `width` 1: an integer, 2: a pair height x width, 0: a word, one of `choices`, or a number.
struct Field {
  std::string name;
  int width = 1;
  std::vector<std::string> choices = {};
  bool numbers = false; ///< a word that may be a number; a list of them unless there are choices
  /// Words with a fallback may be left out: it is what they then are; an empty one is not printed.
  std::optional<std::string> fallback = std::nullopt;
  bool quiet = false; ///< nor is the fallback printed
};

struct Op {
  std::string name;
  std::vector<Field> fields;
  bool epilogues = false;
};

/// The ops of docs/kernels.md.
const std::vector<Op> &ops() {
  static const std::vector<std::string> types = {"f32", "f16", "bf16", "u8", "i8", "i32"};
  static const Field from{"from", 0, {"conv", "deconv"}}, eps{"eps", 0, {}, true};
  static const Field overlap{"overlap", 0, {"last", "sum"}, false, "last"};
  static const Field resizing{"mode", 0, {"nearest", "bilinear", "bicubic", "zeros"}};
  static const Field count{"count", 0, {"valid", "padded"}};
  static const std::vector<std::string> losses = {"cross_entropy", "bce", "focal",     "dice", "soft_iou",
                                                  "mse",           "l1",  "smooth_l1", "score"};
  static const Field kind{"kind", 0, losses};
  static const Field read{"read", 0, {"plain", "scaled"}, false, "plain", true};
  static const Field mid{"mid", 0, {"none", "relu", "relu6", "hardswish"}};
  static const std::vector<std::string> reducible = {"n",  "c",  "nc",  "h",  "nh",  "ch",  "nch", "w",
                                                     "nw", "cw", "ncw", "hw", "nhw", "chw", "nchw"};
  auto optional = [](const char *name) { return Field{name, 0, {}, true, ""}; };
  const Field ignore = optional("ignore"), cw = optional("cw"), alpha = optional("alpha"),
              gamma = optional("gamma"), beta = optional("beta");
  static const std::vector<Op> table = {
      {"conv",
       {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"d", 2}, {"g"}, {"in"}, {"out"}, read, optional("phases")},
       true},
      {"separable", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"out"}, mid}, true},
      {"conv_wgrad", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"d", 2}, {"g"}, {"in"}, {"dy"}}},
      {"unpack_wgrad", {{"panel"}, {"lanes", 0, {"k", "c"}}}},
      {"maxpool", {{"c"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"out"}, {"idx"}}, true},
      {"avgpool", {{"c"}, {"r", 2}, {"s", 2}, {"in"}, {"out"}, count, {"after", 2}}, true},
      {"avgpool_transpose", {{"c"}, {"r", 2}, {"s", 2}, {"in"}, {"out"}, count, {"after", 2}}, true},
      {"adaptive_avgpool", {{"c"}, {"in"}, {"out"}}, true},
      {"adaptive_avgpool_transpose", {{"c"}, {"in"}, {"out"}}, true},
      {"unpool", {{"c"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"idx"}, {"out"}, overlap}, true},
      {"take", {{"c"}, {"r", 2}, {"s", 2}, {"d", 2}, {"in"}, {"idx"}, {"out"}, overlap}, true},
      {"upsample", {{"c"}, {"in"}, {"out"}, resizing, {"align"}}, true},
      {"upsample_transpose", {{"c"}, {"in"}, {"out"}, resizing, {"align"}}, true},
      {"pointwise", {{"c"}, {"in"}, {"out"}}, true},
      {"repeat", {{"c"}, {"in"}, {"out"}}},
      {"reduce_sum", {{"c"}, {"in"}, {"out"}, {"axes", 0, reducible}}},
      {"softmax", {{"c"}, {"in"}, {"out"}}},
      {"log_softmax", {{"c"}, {"in"}, {"out"}}},
      {"softmax_grad", {{"c"}, {"in"}, {"y"}, {"out"}}},
      {"log_softmax_grad", {{"c"}, {"in"}, {"y"}, {"out"}}},
      {"argmax", {{"c"}, {"in"}, {"out"}}},
      {"pad", {{"c"}, {"in"}, {"out"}, {"mode", 0, {"zero", "reflect", "replicate"}}}},
      {"pad_transpose",
       {{"c"}, {"in"}, {"out"}, {"mode", 0, {"reflect", "replicate"}}, {"before", 2}, {"after", 2}},
       true},
      {"reshape", {{"c"}, {"k"}, {"in"}, {"out"}}},
      {"transpose", {{"c"}, {"k"}, {"in"}, {"out"}, {"perm", 0, {}, true}}},
      {"windows", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"in"}, {"out"}, {"before", 2}, {"after", 2}}},
      {"windows_transpose", {{"c"}, {"k"}, {"r", 2}, {"s", 2}, {"in"}, {"out"}, {"before", 2}, {"after", 2}}},
      {"embed", {{"c"}, {"k"}, {"in"}, {"out"}, {"offset"}}},
      {"channel_sums",
       {{"c"}, {"in"}, {"other"}, {"out"}, {"kind", 0, {"sum", "stats", "product", "negative"}}}},
      {"finish_sum", {{"c"}, {"in"}}},
      {"finish_stats", {{"c"}, {"in"}}},
      {"finish_norm_grad", {{"c"}, {"in"}, {"gamma"}, eps}},
      {"finish_group_stats", {{"c"}, {"in"}, {"groups"}, {"gamma"}, {"beta"}, eps}},
      {"finish_group_norm_grad", {{"c"}, {"in"}, {"groups"}, {"gamma"}}},
      {"running_update", {{"c"}, {"in"}, {"unbiased"}, {"momentum", 0, {}, true}}},
      {"copy_vector", {}},
      {"loss_sums", {kind, {"c"}, {"in"}, {"t"}, {"pw"}, {"out"}, ignore, cw, alpha, gamma, beta}},
      {"finish_loss",
       {kind,
        {"c"},
        {"in"},
        {"reduction", 0, {"mean", "sum"}},
        {"per_image"},
        {"pos", 0, {"auto"}, true, ""},
        optional("eps"),
        {"scale", 0, {}, true},
        optional("scaled")}},
      {"loss_grad",
       {kind, {"c"}, {"in"}, {"t"}, {"pw"}, {"out"}, {"per_image"}, ignore, cw, alpha, gamma, beta}},
      {"total_loss", {{"n"}, {"weights", 0, {}, true}}},
      {"sgd", {{"momentum"}, {"nesterov"}}},
      {"adam", {{"decoupled"}}},
      {"ema", {}},
      {"accumulate", {}},
      {"unscale", {}},
      {"sum_squares", {}},
      {"import", {{"c"}, {"out"}, {"from", 0, types}}},
      {"export", {{"c"}, {"in"}, {"to", 0, types}}},
      {"export_upsample", {{"c"}, {"in"}, {"mode", 0, {"nearest", "bilinear", "bicubic"}}, {"align"}}},
      {"norm_scale", {{"gamma"}, eps}},
      {"norm_shift", {{"beta"}, {"bias"}}},
      {"pack_vector", {}},
      {"pack_conv", {{"panel"}, {"g"}, {"scale"}, from, {"step", 2}, optional("last")}},
      {"pack_depthwise", {{"scale"}, from, {"step", 2}}},
      {"pack_winograd", {{"panel"}, {"tile", 2}, {"scale"}, from, {"step", 2}}},
  };
  return table;
}

const Op *findOp(const std::string &name) {
  for (const Op &op : ops())
    if (op.name == name)
      return &op;
  return nullptr;
}

/// What stands in an epilogue's parentheses.
enum class Inside { Nothing, Stride, Value, StrideValue, SiteValue };
struct EpilogueOp {
  const char *name;
  Inside inside = Inside::Nothing;
  const char *signature = "";
};
constexpr EpilogueOp kEpilogues[] = {
    {"bias", Inside::Nothing, "v"},
    {"scale", Inside::Nothing, "v"},
    {"affine", Inside::Nothing, "vv"},
    {"add", Inside::Stride, "t"},
    {"mul", Inside::Stride, "t"},
    {"sub", Inside::Stride, "t"},
    {"norm_grad", Inside::Stride, "tvvv"},
    {"times", Inside::Value},
    {"drop", Inside::SiteValue, "s"},
    {"relu"},
    {"relu6"},
    {"leaky_relu", Inside::Value},
    {"prelu", Inside::Nothing, "v"},
    {"elu", Inside::Value},
    {"selu"},
    {"gelu"},
    {"silu"},
    {"sigmoid"},
    {"tanh"},
    {"hardsigmoid"},
    {"hardswish"},
    {"d_relu", Inside::Stride, "t"},
    {"d_relu6", Inside::Stride, "t"},
    {"d_leaky_relu", Inside::StrideValue, "t"},
    {"dx_leaky_relu", Inside::StrideValue, "t"},
    {"d_prelu", Inside::Stride, "tv"},
    {"d_elu", Inside::StrideValue, "t"},
    {"d_selu", Inside::Stride, "t"},
    {"d_gelu", Inside::Stride, "t"},
    {"d_silu", Inside::Stride, "t"},
    {"d_sigmoid", Inside::Stride, "t"},
    {"d_tanh", Inside::Stride, "t"},
    {"d_hardsigmoid", Inside::Stride, "t"},
    {"d_hardswish", Inside::Stride, "t"},
    {"argmax"},
    {"softmax"},
    {"log_softmax"},
    {"pool"},
    {"pool_index", Inside::Stride},
    {"keep_pool", Inside::Stride},
};
/// Maxima of 2x2 pixels: alone, with their positions, or beside the pixels themselves.
bool isPool(const std::string &name) { return name == "pool" || name == "pool_index" || name == "keep_pool"; }
/// Epilogues over all channels of a pixel or over several pixels: the last ones, of ops whose kernels have
/// these together.
bool isReduction(const std::string &name) {
  return name == "argmax" || name == "softmax" || name == "log_softmax" || isPool(name);
}
bool mayReduce(const std::string &op, const std::string &epilogue) {
  return op == "conv" || (op == "upsample" && !isPool(epilogue));
}
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
bool parseUnsigned(const std::string &text, uint32_t &value) {
  if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != std::string::npos)
    return false;
  const unsigned long long wide = std::strtoull(text.c_str(), nullptr, 10);
  value = uint32_t(wide);
  return wide <= UINT32_MAX;
}

std::vector<std::string> splitAt(char separator, const std::string &text) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

/// Whether `text` may be the value of a word.
bool isWord(const Field &f, const std::string &text) {
  if (std::find(f.choices.begin(), f.choices.end(), text) != f.choices.end())
    return true;
  const std::vector<std::string> parts = splitAt('/', text);
  double number;
  return f.numbers && (f.choices.empty() || parts.size() == 1) &&
         std::all_of(parts.begin(), parts.end(),
                     [&](const std::string &p) { return parseNumber(p, number); });
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

std::string inParentheses(const Epilogue &e, Inside inside) {
  switch (inside) {
  case Inside::Nothing:
    return "";
  case Inside::Stride:
    return "(" + std::to_string(e.stride) + (e.wide ? ",f32)" : ")");
  case Inside::Value:
    return "(" + printNumber(e.value) + ")";
  case Inside::StrideValue:
    return "(" + std::to_string(e.stride) + "," + printNumber(e.value) + ")";
  case Inside::SiteValue:
    return "(" + std::to_string(e.site) + "," + printNumber(e.value) + ")";
  }
  return "";
}

/// What an epilogue of this kind needs, for messages.
const char *needs(Inside inside) {
  switch (inside) {
  case Inside::Nothing:
    return " takes no operand";
  case Inside::Stride:
  case Inside::Value:
    return " needs one number in parentheses";
  case Inside::StrideValue:
    return " needs a pixel stride and a number in parentheses, like (64,0.01)";
  case Inside::SiteValue:
    return " needs the number of its site and a rate in parentheses, like (12,0.5)";
  }
  return "";
}

/// The epilogue written as `text` without its '+', or a sentence.
std::variant<Epilogue, std::string> parseEpilogue(const std::string &text) {
  const size_t open = text.find('(');
  Epilogue e;
  e.op = text.substr(0, open);
  const EpilogueOp *known = findEpilogue(e.op);
  if (!known)
    return "unknown epilogue '+" + text + "'";
  const Inside inside = known->inside;
  const bool closed = open != std::string::npos && text.back() == ')';
  std::vector<std::string> parts;
  if (closed)
    parts = splitAt(',', text.substr(open + 1, text.size() - open - 2));
  const size_t wanted = inside == Inside::Nothing                             ? 0
                        : inside == Inside::Stride || inside == Inside::Value ? 1
                                                                              : 2;
  e.wide = inside == Inside::Stride && parts.size() == 2 && parts[1] == "f32";
  if (parts.size() != wanted + e.wide || (open != std::string::npos && !closed))
    return "'+" + text + "': " + e.op + needs(inside);
  auto isNo = [&](const std::string &part, const char *what) {
    return "'+" + text + "': '" + part + "' is no " + what;
  };
  const bool stride = inside == Inside::Stride || inside == Inside::StrideValue;
  const bool repeats = e.op == "add" || e.op == "mul" || e.op == "sub"; // stride 0: one pixel for all
  if (stride && (!parseInt(parts[0], e.stride) || (e.stride == 0 && !repeats)))
    return isNo(parts[0], "pixel stride");
  if (inside == Inside::SiteValue && !parseUnsigned(parts[0], e.site))
    return isNo(parts[0], "unsigned 32-bit number");
  if (wanted > 0 && inside != Inside::Stride && !parseNumber(parts.back(), e.value))
    return isNo(parts.back(), "number");
  if (e.op == "drop" && !(e.value >= 0 && e.value < 1))
    return isNo(parts.back(), "rate in [0, 1)");
  return e;
}

} // namespace

std::string Epilogue::signature() const {
  const EpilogueOp *known = findEpilogue(op);
  return known ? known->signature : "";
}

int KernelSpec::get(const std::string &field, int index) const {
  auto it = fields.find(field);
  return it == fields.end() || index >= int(it->second.size()) ? 0 : it->second[index];
}

std::string KernelSpec::word(const std::string &name) const {
  auto it = words.find(name);
  return it == words.end() ? "" : it->second;
}

std::vector<double> KernelSpec::numbers(const std::string &name) const {
  std::vector<double> values;
  const std::string text = word(name);
  if (!text.empty())
    for (const std::string &part : splitAt('/', text))
      values.push_back(std::strtod(part.c_str(), nullptr));
  return values;
}

double KernelSpec::number(const std::string &name, double fallback) const {
  const std::vector<double> values = numbers(name);
  return values.empty() ? fallback : values[0];
}

std::string KernelSpec::reduction() const {
  return !epilogues.empty() && isReduction(epilogues.back().op) ? epilogues.back().op : "";
}

std::string KernelSpec::pooling() const { return isPool(reduction()) ? reduction() : ""; }

std::string KernelSpec::print() const {
  std::string text = op;
  if (const Op *known = findOp(op))
    for (const Field &f : known->fields) {
      if (f.width) {
        text += " " + f.name + std::to_string(get(f.name));
        text += f.width == 2 ? "x" + std::to_string(get(f.name, 1)) : "";
        continue;
      }
      const std::string value = word(f.name).empty() ? f.fallback.value_or("") : word(f.name);
      if (!f.fallback || (!value.empty() && !(f.quiet && value == *f.fallback)))
        text += " " + f.name + "=" + value;
    }
  for (const Epilogue &e : epilogues) {
    const EpilogueOp *known = findEpilogue(e.op);
    text += " +" + e.op + inParentheses(e, known ? known->inside : Inside::Nothing);
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
  std::vector<std::string> tokens;
  for (std::string token; in >> token;)
    tokens.push_back(token);
  auto next = tokens.begin();
  for (const Field &f : op->fields) {
    const std::string prefix = f.width ? f.name : f.name + "=";
    const bool here = next != tokens.end() && next->compare(0, prefix.size(), prefix) == 0;
    if (!here && f.fallback) {
      if (!f.fallback->empty())
        spec.words[f.name] = *f.fallback;
      continue;
    }
    if (!here)
      return fail("field '" + f.name + "' expected" + (next != tokens.end() ? ", not '" + *next + "'" : ""));
    const std::string token = *next++, value = token.substr(prefix.size());
    if (f.width && !parseInts(value, f.width, spec.fields[f.name]))
      return fail("'" + token + "': " + f.name + " needs " +
                  (f.width == 2 ? "a pair like 3x3" : "a whole number"));
    if (!f.width && !isWord(f, value))
      return fail("'" + token + "': unknown value of " + f.name);
    if (!f.width)
      spec.words[f.name] = value;
  }
  for (; next != tokens.end() && *next != ":"; ++next) {
    if (next->front() != '+')
      return fail("unexpected '" + *next + "'");
    if (!op->epilogues)
      return fail(spec.op + " takes no epilogues");
    auto epilogue = parseEpilogue(next->substr(1));
    if (auto *error = std::get_if<std::string>(&epilogue))
      return fail(*error);
    const std::string &name = std::get<Epilogue>(epilogue).op;
    if (!spec.reduction().empty())
      return fail("'+" + name + "' behind '+" + spec.reduction() + "', which is the last epilogue");
    if (isReduction(name) && !mayReduce(spec.op, name))
      return fail("'+" + name + "' is an epilogue of conv " + (isPool(name) ? "only" : "and upsample only"));
    spec.epilogues.push_back(std::get<Epilogue>(epilogue));
  }
  if (tokens.end() - next < 2)
    return fail("': <dtype>' expected at the end");
  spec.dtype = next[1];
  if (spec.dtype != "f32" && spec.dtype != "bf16" && spec.dtype != "f16")
    return fail("dtype '" + spec.dtype + "' is not supported (f32, bf16, f16)");
  if (tokens.end() - next > 2)
    return fail("unexpected '" + next[2] + "' after the dtype");
  return spec;
}

} // namespace segc::schedules
