/// \file Compiling, opening and creating.
// SPDX-License-Identifier: MIT
#include "compiler/tools/OpenModel.h"
#include "compiler/codegen/Link.h"
#include "compiler/tools/GpuReady.h"
#include "compiler/tools/InitialWeights.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {
namespace {

bool openLibrary(OpenedModel &opened, const std::string &path) {
  std::string error;
  opened.library = Library::open(path, error);
  if (!opened.library)
    fail(error);
  return opened.library != nullptr;
}

bool makeInitialWeights(OpenedModel &opened) {
  auto weights = initialWeights(*opened.source->graph, 0);
  if (!weights)
    return false;
  auto bytes = files::serialise(*weights);
  if (auto *why = std::get_if<std::string>(&bytes)) {
    fail(*why);
    return false;
  }
  opened.ownWeights = std::move(std::get<std::vector<uint8_t>>(bytes));
  return true;
}

} // namespace

std::unique_ptr<OpenedModel> openModel(const ToolOptions &options, std::unique_ptr<LoadedModel> source,
                                       int &exitCode) {
  exitCode = 1;
  auto opened = std::make_unique<OpenedModel>();
  opened->source = std::move(source);
  if (!gpuReady(opened->source->compile))
    return nullptr;
  if (opened->directory.path.empty()) {
    fail("cannot make a temporary directory");
    return nullptr;
  }
  if (mlir::failed(compileLibrary(opened->source->graphs(), opened->source->compile, opened->directory.path)))
    return nullptr;
  if (!options.has(options::OPT_weights_eq) && !makeInitialWeights(*opened))
    return nullptr;
  if (!openLibrary(*opened, opened->directory.path + "/lib" + cPrefix(opened->source->model->name) + ".so"))
    return nullptr;
  return opened;
}

std::unique_ptr<OpenedModel> openModel(const ToolOptions &options, const std::string &path,
                                       const std::vector<std::string> &tensors, int &exitCode) {
  if (!llvm::StringRef(path).ends_with(".so")) {
    auto source = loadModel(options, path, tensors, false, exitCode);
    return source ? openModel(options, std::move(source), exitCode) : nullptr;
  }
  exitCode = 1;
  if (!tensors.empty()) {
    fail("-tensors needs a MODEL: a library has only its outputs");
    return nullptr;
  }
  if (!options.has(options::OPT_weights_eq)) {
    fail("a library needs -weights FILE");
    return nullptr;
  }
  auto opened = std::make_unique<OpenedModel>();
  return openLibrary(*opened, path) ? std::move(opened) : nullptr;
}

bool loadWeights(const ToolOptions &options, const OpenedModel &opened, Instance &instance) {
  const Library &library = *opened.library;
  int status =
      options.has(options::OPT_weights_eq)
          ? library.create(options.value(options::OPT_weights_eq).c_str(), &instance.model)
          : library.createFromMemory(opened.ownWeights.data(), opened.ownWeights.size(), &instance.model);
  if (status) {
    fail(library.lastError());
    return false;
  }
  if (*library.note(instance.model))
    llvm::errs() << "note: " << library.note(instance.model) << "\n";
  return true;
}

bool createInstance(const ToolOptions &options, const OpenedModel &opened, Instance &instance) {
  auto threads = options.number(options::OPT_threads_eq, 0, 1, 256);
  if (!threads || !loadWeights(options, opened, instance))
    return false;
  if (*threads && opened.library->setThreads(instance.model, static_cast<int>(*threads))) {
    fail(opened.library->lastError());
    return false;
  }
  return true;
}

} // namespace segc
