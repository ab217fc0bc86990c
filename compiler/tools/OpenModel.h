/// \file A model ready to run: compiled from its description, or a library as it is.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include "compiler/tools/ToolSupport.h"

namespace segc {

/// An opened library with what it came from.
struct OpenedModel {
  TemporaryDirectory directory;        ///< holds the library of a description
  std::unique_ptr<LoadedModel> source; ///< null for a library
  std::vector<uint8_t> ownWeights;     ///< the initial ones; empty for a library or with -weights
  std::unique_ptr<Library> library;
};

/// Compiles and opens a description, or opens lib<name>.so. `tensors` are layers whose values become outputs
/// too. On failure prints why and sets `exitCode` (which is 0 where the flags asked for help only).
std::unique_ptr<OpenedModel> openModel(const ToolOptions &options, const std::string &path,
                                       const std::vector<std::string> &tensors, int &exitCode);
/// The same for a description that was loaded (and perhaps changed).
std::unique_ptr<OpenedModel> openModel(const ToolOptions &options, std::unique_ptr<LoadedModel> source,
                                       int &exitCode);

/// Gives `instance` its model with -weights or the initial ones; prints notes. False after printing an error.
bool loadWeights(const ToolOptions &options, const OpenedModel &opened, Instance &instance);

/// The same, and sets -threads; prints notes. False after
/// printing an error.
bool createInstance(const ToolOptions &options, const OpenedModel &opened, Instance &instance);

} // namespace segc
