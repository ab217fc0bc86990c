/// \file dlopen and dlsym.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Library.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <dlfcn.h>

namespace segc {

std::unique_ptr<Library> Library::open(const std::string &path, std::string &error) {
  llvm::StringRef prefix = llvm::sys::path::stem(path);
  if (!prefix.consume_front("lib")) {
    error = "'" + path + "' is not named lib<name>.so: the functions' prefix comes from the name";
    return nullptr;
  }
  auto library = std::make_unique<Library>();
  // A path with a slash is not searched for.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  library->handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) {
    error = std::string("cannot open the library: ") + dlerror();
    return nullptr;
  }
  auto find = [&](auto &function, const char *name) {
    std::string symbol = prefix.str() + "_" + name;
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library->handle, symbol.c_str()));
    if (!function)
      error = "'" + path + "' has no function " + symbol + ": segc did not make it";
  };
  find(library->create, "create");
  find(library->createFromMemory, "create_from_memory");
  find(library->destroy, "destroy");
  find(library->reshape, "reshape");
  find(library->run, "run");
  find(library->setThreads, "set_threads");
  find(library->workspaceBytes, "workspace_bytes");
  find(library->numInputs, "num_inputs");
  find(library->numOutputs, "num_outputs");
  find(library->numWeights, "num_weights");
  find(library->inputInfo, "input_info");
  find(library->outputInfo, "output_info");
  find(library->weightInfo, "weight_info");
  find(library->setObserver, "set_observer");
  find(library->note, "note");
  find(library->variant, "variant");
  find(library->lastError, "last_error");
  find(library->denseNchw, "dense_nchw");
  if (!dlsym(library->handle, (prefix.str() + "_grad").c_str()))
    return error.empty() ? std::move(library) : nullptr;
  find(library->grad, "grad");
  find(library->update, "update");
  find(library->step, "step");
  find(library->getWeight, "get_weight");
  find(library->gradient, "gradient");
  find(library->gradientsFinite, "gradients_finite");
  find(library->flat, "flat");
  find(library->numLosses, "num_losses");
  find(library->lossName, "loss_name");
  find(library->loss, "loss");
  find(library->numTrainInputs, "num_train_inputs");
  find(library->numTrainOutputs, "num_train_outputs");
  find(library->trainInputInfo, "train_input_info");
  find(library->trainOutputInfo, "train_output_info");
  find(library->reshapeTrain, "reshape_train");
  find(library->setCheckFinite, "set_check_finite");
  find(library->setAccumulation, "set_accumulation");
  find(library->setSeed, "set_seed");
  find(library->setWeight, "set_weight");
  find(library->steps, "steps");
  find(library->setSteps, "set_steps");
  find(library->learningRate, "learning_rate");
  find(library->lossScale, "loss_scale");
  find(library->setLossScale, "set_loss_scale");
  return error.empty() ? std::move(library) : nullptr;
}

Library::~Library() {
  if (handle)
    dlclose(handle);
}

Instance::~Instance() {
  if (model)
    library.destroy(model);
}

TemporaryDirectory::TemporaryDirectory() {
  llvm::SmallString<128> made;
  if (!llvm::sys::fs::createUniqueDirectory("segc", made))
    path = made.str().str();
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path.empty())
    llvm::sys::fs::remove_directories(path);
}

} // namespace segc
