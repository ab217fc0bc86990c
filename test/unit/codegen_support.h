/// \file What the tests of code generation share: objects made from LLVM IR, temporary directories, small
/// models.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/codegen/Link.h"
#include <filesystem>
#include <string>
#include <vector>

namespace segc::test {

/// A directory of its own, gone with its owner.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  std::string operator/(const std::string &name) const { return (path / name).string(); }
  std::filesystem::path path;
};

/// LLVM IR to a position independent x86-64 object.
std::vector<uint8_t> assemble(const std::string &ir);

/// A kernel `<symbol>_argv` that returns `value` plus what `callee` (a double function of a double) makes of
/// 0.
KernelObject kernel(const std::string &symbol, int value, const std::string &callee = "");

/// A core of a few lines. Its table is one byte, the number of kernels; segc_model_sum() adds what they
/// return, segc_model_calls() counts its calls through the shared segc_pool_v1_count(), segc_model_table()
/// and segc_model_variant_number() give out the data, segc_model_hidden has hidden visibility.
std::vector<uint8_t> standInCore();

/// A model of one variant with the given kernels, for that core.
LinkInput model(const std::string &name, std::vector<KernelObject> kernels);

void write(const std::string &path, const std::vector<uint8_t> &bytes);
std::string read(const std::string &path);

} // namespace segc::test
