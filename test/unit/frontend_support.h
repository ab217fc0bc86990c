/// \file Helpers of the frontend's tests: models from short texts, what they expand to, what is said about
/// bad ones.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Fields.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>
#include <memory>

namespace segc::test {

/// A text with its diagnostics; messages are collected.
struct Parsed {
  std::string messages;
  llvm::raw_string_ostream stream{messages};
  Diagnostics diagnostics{stream};
  std::optional<Model> model;

  explicit Parsed(llvm::StringRef text, std::vector<std::string> settings = {},
                  std::vector<llvm::StringRef> ops = {}, const IncludeFolders &folders = {}) {
    auto result = parseModel(diagnostics.addText(text, "m.json"), settings, ops, diagnostics, folders);
    if (succeeded(result))
      model = std::move(*result);
  }
  std::string printed() const {
    std::string text;
    llvm::raw_string_ostream os(text);
    if (model)
      printModel(os, *model);
    return text;
  }
};

/// A model with one input `image` and the given members; `params` and `blocks` are bodies of objects.
inline std::string describe(const std::string &layers, const std::string &output,
                            const std::string &params = "", const std::string &blocks = "") {
  return "{\"format\": \"segc-model/1\", \"name\": \"m\", \"params\": {" + params +
         "},\n\"inputs\": [{\"name\": \"image\", \"shape\": [1, 3, 8, 8]}, {\"name\": \"other\", \"shape\": "
         "[1, 3, 8, "
         "8]}],\n\"blocks\": {" +
         blocks + "},\n\"layers\": [" + layers + "],\n\"outputs\": [\"" + output + "\"]}";
}

/// The lines that the layers print as, or the messages.
inline std::string expand(const std::string &layers, const std::string &output,
                          const std::string &params = "", const std::string &blocks = "",
                          std::vector<std::string> settings = {}) {
  Parsed parsed(describe(layers, output, params, blocks), std::move(settings));
  if (!parsed.model)
    return parsed.messages;
  std::string text = parsed.printed();
  size_t first = text.find('\n', text.find("input other")) + 1;
  return text.substr(first, text.find("output ") - first);
}

/// The first line that is said about a text; empty when it is good.
inline std::string firstMessage(llvm::StringRef text, std::vector<std::string> settings = {},
                                std::vector<llvm::StringRef> ops = {}) {
  Parsed parsed(text, std::move(settings), std::move(ops));
  EXPECT_EQ(parsed.model.has_value(), parsed.diagnostics.errorCount() == 0);
  return parsed.messages.substr(0, parsed.messages.find('\n'));
}

/// The same without the place.
inline std::string firstText(llvm::StringRef text, std::vector<std::string> settings = {},
                             std::vector<llvm::StringRef> ops = {}) {
  std::string line = firstMessage(text, std::move(settings), std::move(ops));
  size_t error = line.find("error: ");
  return error == std::string::npos ? line : line.substr(error + 7);
}

} // namespace segc::test
