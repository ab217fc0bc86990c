/// \file Whole networks in tests: compiled in this process, run, compared with the interpreter.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Check.h"
#include "compiler/tools/CheckGradients.h"
#include <string>

namespace segc::test {

/// How the tests compile: for this machine, with kernels kept between runs.
CompileOptions compileOptions();
/// A context with all of segc's dialects.
std::unique_ptr<mlir::MLIRContext> makeContext();
/// What checkModel finds wrong with the network, or what the compiler says against it; empty if everything
/// agrees.
std::string differences(mlir::MLIRContext &context, const std::string &json, const CompileOptions &compile,
                        const CheckOptions &options);
/// What is wrong with the gradients of a network, in the same way.
std::string gradientDifferences(const std::string &json, const CompileOptions &compile,
                                const GradientCheckOptions &options);

} // namespace segc::test
