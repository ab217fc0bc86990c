/// \file Building libraries for the driver of fake_cuda.cpp.
// SPDX-License-Identifier: MIT
#include "test/unit/cuda_support.h"
#include "compiler/Pipeline.h"
#include "compiler/codegen/Link.h"
#include "compiler/frontend/Import.h"
#include "compiler/tools/InitialWeights.h"
#include "test/unit/e2e_support.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

namespace segc::test {

std::unique_ptr<CudaModel> buildCuda(const std::string &name, const std::string &json) {
  auto built = std::make_unique<CudaModel>();
  auto context = makeContext();
  Diagnostics diagnostics(llvm::errs());
  auto model = parseModel(diagnostics.addText(json, name + ".json"), {}, {}, diagnostics);
  if (mlir::failed(model))
    return ADD_FAILURE(), nullptr;
  auto graph = importModel(*context, diagnostics, *model, {});
  ImportOptions training;
  training.training = true;
  mlir::OwningOpRef<mlir::ModuleOp> trained;
  if (model->training)
    trained = importModel(*context, diagnostics, *model, training);
  auto weights = graph ? checkWeights(*graph, 1) : std::nullopt;
  if (!weights || (model->training && !trained))
    return ADD_FAILURE(), nullptr;
  built->weights = std::get<std::vector<uint8_t>>(files::serialise(*weights));
  CompileOptions compile = compileOptions();
  compile.variants = {schedules::Isa::Cuda};
  const Graphs graphs = {*graph, trained ? *trained : mlir::ModuleOp()};
  if (mlir::failed(compileLibrary(graphs, compile, built->directory.path)))
    return ADD_FAILURE(), nullptr;
  const std::string path = built->directory.path + "/lib" + name + ".so";
  std::string error;
  built->library = Library::open(path, error);
  if (!built->library)
    return ADD_FAILURE() << error, nullptr;
  void *const same = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  const auto find = [&](auto &function, const char *suffix) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(same, (name + suffix).c_str()));
  };
  find(built->setDeviceTensors, "_set_device_tensors");
  find(built->setStream, "_set_stream");
  dlclose(same);
  return built;
}

} // namespace segc::test
