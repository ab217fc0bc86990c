/// \file The template's two prefixes, and the block about the model.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Header.h"
#include "compiler/codegen/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace segc {
namespace {

constexpr StringLiteral kMarker = "/*@model@*/";

std::string replaced(StringRef text, StringRef from, StringRef to) {
  std::string result;
  while (true) {
    const auto [before, after] = text.split(from);
    result += before;
    if (before.size() == text.size())
      return result;
    result += to;
    text = after;
  }
}

/// Printable ASCII without what could end a comment or string, start a trigraph or join lines; the rest as
/// \xHH in octal, which is the one escape of C that cannot swallow the digits behind it.
std::string quoted(StringRef text) {
  std::string result;
  for (const unsigned char c : text) {
    if (c >= ' ' && c < 127 && !StringRef("\"\\*?").contains(c))
      result += c;
    else
      result += {'\\', char('0' + c / 64), char('0' + c / 8 % 8), char('0' + c % 8)};
  }
  return "\"" + result + "\"";
}

/// The same for a line of a comment: no escapes, '.' for what cannot stand there.
std::string line(StringRef text) {
  std::string result = text.str();
  for (size_t i = 0; i < result.size(); ++i) {
    const bool ends = result[i] == '/' && i > 0 && result[i - 1] == '*';
    const bool starts = result[i] == '*' && i > 0 && result[i - 1] == '/';
    if (!isPrint(result[i]) || result[i] == '\\' || result[i] == '?' || ends || starts)
      result[i] = '.';
  }
  return result;
}

StringRef dtypeName(rt::DType dtype) {
  constexpr StringLiteral names[] = {"F32", "F16", "BF16", "I8", "U8", "I32"};
  return names[uint32_t(dtype)];
}

class Block {
public:
  Block(const HeaderInfo &info, StringRef upper) : info(info), upper(upper) {}

  std::string text() {
    comment();
    macro("NUM_INPUTS", utostr(info.inputs.size()));
    tensors("INPUT", info.inputs);
    macro("NUM_OUTPUTS", utostr(info.outputs.size()));
    tensors("OUTPUT", info.outputs);
    macro("NUM_PARAMETERS", number(info.parameters));
    if (info.workspaceBytes)
      macro("WORKSPACE_BYTES", number(info.workspaceBytes) + " /* for these shapes and one thread */");
    const StringRef result = out;
    return result.rtrim('\n').str();
  }

private:
  static std::string number(uint64_t value) { return utostr(value) + (value > 0x7fffffff ? "ULL" : ""); }
  void macro(const Twine &name, const Twine &value) {
    stream << "#define " << upper << "_" << name << " " << value << "\n";
  }
  void comment() {
    stream << "/* The network " << line(quoted(info.name)) << ".\n";
    list("inputs", info.inputs);
    list("outputs", info.outputs);
    for (const std::string &sentence : info.legalSizes)
      stream << " *   " << line(sentence) << "\n";
    stream << " * " << info.parameters << " parameters";
    if (!info.variants.empty())
      stream << "; instruction sets: " << line(join(info.variants, ", "));
    stream << "\n */\n";
  }
  void list(StringRef title, const std::vector<HeaderTensor> &tensors) {
    for (const HeaderTensor &tensor : tensors)
      stream << " *   " << title.drop_back() << " " << line(quoted(tensor.name)) << " "
             << dtypeName(tensor.dtype) << " " << shape(tensor, "[", "]", "?") << "\n";
  }
  static std::string shape(const HeaderTensor &tensor, StringRef open, StringRef close, StringRef unknown) {
    std::vector<std::string> extents;
    for (const int64_t extent : tensor.shape)
      extents.push_back(extent ? itostr(extent) : unknown.str());
    return (open + join(extents, ", ") + close).str();
  }
  void tensors(StringRef kind, const std::vector<HeaderTensor> &tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::string stem = (kind + "_" + Twine(i)).str();
      macro(stem + "_NAME", quoted(tensors[i].name));
      macro(stem + "_DTYPE", upper + "_" + dtypeName(tensors[i].dtype));
      macro(stem + "_RANK", utostr(tensors[i].shape.size()));
      macro(stem + "_SHAPE", shape(tensors[i], "{", "}", "0"));
    }
  }

  const HeaderInfo &info;
  const StringRef upper;
  std::string out;
  raw_string_ostream stream{out};
};

} // namespace

std::string modelHeader(const HeaderInfo &info, StringRef headerTemplate) {
  const std::string prefix = cPrefix(info.name), upper = StringRef(prefix).upper();
  const auto named = [&](StringRef text) {
    return replaced(replaced(text, "segc_model_", prefix + "_"), "SEGC_MODEL_", upper + "_");
  };
  const auto [before, after] = headerTemplate.split(kMarker);
  return named(before) + Block(info, upper).text() + named(after);
}

} // namespace segc
