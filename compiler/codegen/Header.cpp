/// \file The template's two prefixes, and the block about the model.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Header.h"
#include "compiler/codegen/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace segc {
namespace {

constexpr StringLiteral kMarker = "/*@model@*/", kTrain = "/*@train@*/\n", kEnd = "/*@end@*/\n";

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
    if (info.infers) {
      tensors("INPUT", info.inputs);
      tensors("OUTPUT", info.outputs);
    }
    if (info.trains) {
      tensors("TRAIN_INPUT", info.trainInputs);
      tensors("TRAIN_OUTPUT", info.trainOutputs);
      losses();
    }
    macro("NUM_PARAMETERS", number(info.parameters));
    bytes("WORKSPACE_BYTES", info.workspaceBytes);
    bytes("TRAIN_WORKSPACE_BYTES", info.trainWorkspaceBytes);
    const StringRef result = out;
    return result.rtrim('\n').str();
  }

private:
  static std::string number(uint64_t value) { return utostr(value) + (value > 0x7fffffff ? "ULL" : ""); }
  void macro(const Twine &name, const Twine &value) {
    stream << "#define " << upper << "_" << name << " " << value << "\n";
  }
  void bytes(StringRef name, uint64_t value) {
    if (value)
      macro(name, number(value) + " /* for these shapes and one thread */");
  }
  void comment() {
    stream << "/* The network " << line(quoted(info.name)) << ".\n";
    if (!info.infers)
      stream << " * This library only trains: run() and what belongs to it return UNSUPPORTED.\n";
    list("input", info.inputs);
    list("output", info.outputs);
    list("training input", info.trainInputs);
    list("training output", info.trainOutputs);
    for (const std::string &loss : info.losses)
      stream << " *   loss " << line(loss) << "\n";
    for (const std::string &sentence : info.legalSizes)
      stream << " *   " << line(sentence) << "\n";
    stream << " * " << info.parameters << " parameters";
    if (!info.variants.empty())
      stream << "; instruction sets: " << line(join(info.variants, ", "));
    stream << "\n */\n";
  }
  void list(StringRef title, const std::vector<HeaderTensor> &tensors) {
    for (const HeaderTensor &tensor : tensors)
      stream << " *   " << title << " " << line(quoted(tensor.name)) << " " << dtypeName(tensor.dtype) << " "
             << shape(tensor, "[", "]", "?") << "\n";
  }
  static std::string shape(const HeaderTensor &tensor, StringRef open, StringRef close, StringRef unknown) {
    std::vector<std::string> extents;
    for (const int64_t extent : tensor.shape)
      extents.push_back(extent ? itostr(extent) : unknown.str());
    return (open + join(extents, ", ") + close).str();
  }
  /// Numbered as segc_model_loss() does.
  void losses() {
    macro("NUM_LOSSES", utostr(1 + info.losses.size()));
    macro("LOSS_0_NAME", quoted("total"));
    for (size_t i = 0; i < info.losses.size(); ++i)
      macro("LOSS_" + Twine(1 + i) + "_NAME", quoted(info.losses[i]));
  }
  void tensors(StringRef kind, const std::vector<HeaderTensor> &tensors) {
    macro("NUM_" + kind + "S", utostr(tensors.size()));
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

/// The template with or without its training parts; the marks go in any case.
std::string programs(StringRef text, bool trains) {
  std::string result;
  while (true) {
    const auto [before, marked] = text.split(kTrain);
    const auto [part, after] = marked.split(kEnd);
    result += before;
    if (trains)
      result += part;
    if (marked.empty())
      return result;
    text = after;
  }
}

} // namespace

std::string modelHeader(const HeaderInfo &info, StringRef headerTemplate) {
  const std::string prefix = cPrefix(info.name), upper = StringRef(prefix).upper();
  const auto named = [&](StringRef text) {
    return replaced(replaced(text, "segc_model_", prefix + "_"), "SEGC_MODEL_", upper + "_");
  };
  const std::string whole = programs(headerTemplate, info.trains);
  const auto [before, after] = StringRef(whole).split(kMarker);
  return named(before) + Block(info, upper).text() + named(after);
}

} // namespace segc
