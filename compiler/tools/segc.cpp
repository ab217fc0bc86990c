/// \file segc: compiles a model description to a library, or stops early and shows a stage.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Worker.h"
#include "compiler/tools/Emit.h"
#include "compiler/tools/ToolOptions.h"
#include "compiler/tools/ToolSupport.h"
#include "compiler/tools/Warnings.h"

using namespace segc;

int main(int argc, char **argv) {
  if (argc > 1 && llvm::StringRef(argv[1]) == "--kernel-worker")
    return runKernelWorker(argc - 1, argv + 1);
  int exitCode = 0;
  auto options =
      ToolOptions::parse(argc, argv, options::SegcTool, "segc MODEL.json [-o DIR] [flags]", exitCode);
  if (!options)
    return exitCode;
  auto input = loadModel(*options, {}, /*everything=*/false, exitCode);
  if (!input)
    return exitCode;
  giveWarnings(*options, *input);
  if (options->has(options::OPT_summary))
    return showSummary(*input);
  if (options->has(options::OPT_emit_eq))
    return emitStage(*options, *input);
  return buildLibrary(*options, *input);
}
