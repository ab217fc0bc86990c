/// \file A small network with a training section whose members tests replace, and its import for training.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Import.h"
#include "frontend_support.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include <map>

namespace segc::test {

using Members = std::map<std::string, std::string>;

/// The network with the section's members in a fixed order, those in `replaced` with other values (left out
/// where empty) and added where the section has none. `up` has 3 channels at 8 x 8, `aux` 3 at 4 x 4, `edge`
/// 1 at 8 x 8.
inline std::string trainingModel(Members replaced = {}) {
  std::string text = R"({
"format": "segc-model/1",
"name": "m",
"inputs": [{"name": "image", "shape": [2, 3, 8, 8]}],
"blocks": {"head": {"layers": [
  {"op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "batch"},
  {"op": "conv", "channels": 3, "kernel": 1}]}},
"layers": [
  {"name": "enc", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "batch", "activation": "relu"},
  {"name": "pool", "op": "maxpool", "kernel": 2},
  {"name": "aux", "op": "conv", "channels": 3, "kernel": 1},
  {"name": "edge", "op": "conv", "channels": 1, "kernel": 1, "input": "enc"},
  {"name": "up", "block": "head", "input": "enc"},
  {"name": "classes", "op": "argmax"}
],
"outputs": ["classes"],
"training": {
)";
  std::vector<std::pair<std::string, std::string>> members = {
      {"targets",
       R"([{"name": "mask", "shape": [2, 8, 8], "dtype": "i32"}, {"name": "borders", "shape": [2, 8, 8]}, )"
       R"({"name": "depth", "shape": [2, 1, 8, 8]}])"},
      {"losses", R"([{"type": "cross_entropy", "input": "up", "target": "mask"}])"},
      {"optimizer", R"({"type": "adam"})"}};
  for (auto &[key, value] : members)
    if (auto it = replaced.find(key); it != replaced.end()) {
      value = it->second;
      replaced.erase(it);
    }
  members.insert(members.end(), replaced.begin(), replaced.end());
  std::string lines;
  for (auto &[key, value] : members)
    if (!value.empty())
      lines += std::string(lines.empty() ? "" : ",\n") + "  \"" + key + "\": " + value;
  return text + lines + "\n}}";
}

/// What is said about the section; empty when it is good.
inline std::string sectionMessage(const Members &replaced) { return firstText(trainingModel(replaced)); }

/// Line and column of what is said about it.
inline std::string sectionPlace(const Members &replaced) {
  std::string message = firstMessage(trainingModel(replaced));
  return message.substr(7, message.find(": error") - 7); // behind "m.json:"
}

/// A text and its import for training (`phase` -1: none of the phases).
struct Trained {
  Parsed parsed;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  Trained(llvm::StringRef text, mlir::MLIRContext &context, int phase = -1, bool training = true)
      : parsed(text) {
    ImportOptions options;
    options.training = training;
    options.phase = phase;
    if (parsed.model)
      module = importModel(context, parsed.diagnostics, *parsed.model, options);
  }
  mlir::func::FuncOp main() { return module->lookupSymbol<mlir::func::FuncOp>("main"); }
  /// The first line that is said, without the place.
  std::string message() const {
    llvm::StringRef line = llvm::StringRef(parsed.messages).take_until([](char c) { return c == '\n'; });
    size_t error = line.find("error: ");
    return error == llvm::StringRef::npos ? line.str() : line.drop_front(error + 7).str();
  }
};

} // namespace segc::test
