/// \file segc-opt: runs segc's passes on IR, for tests and for looking, as mlir-opt does.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  segc::registerDialects(registry);
  segc::registerSegcPasses();
  segc::registerPipelines();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "segc pass driver\n", registry));
}
