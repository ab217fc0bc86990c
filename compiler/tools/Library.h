/// \file A compiled library opened at run time: its C functions under the model's own prefix.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/include/segc/model.h"
#include <memory>
#include <string>
#include <vector>

namespace segc {

/// The functions of runtime/include/segc/model.h.in, found by name in the library. The types are the
/// template's.
class Library {
public:
  /// Opens lib<prefix>.so; the prefix comes from the file's name. On failure null, with the reason in
  /// `error`.
  static std::unique_ptr<Library> open(const std::string &path, std::string &error);
  ~Library();

  int (*create)(const char *, segc_model_model **) = nullptr;
  int (*createFromMemory)(const void *, size_t, segc_model_model **) = nullptr;
  void (*destroy)(segc_model_model *) = nullptr;
  int (*reshape)(segc_model_model *, const int64_t *) = nullptr;
  int (*run)(segc_model_model *, const segc_model_tensor *, int, const segc_model_tensor *, int) = nullptr;
  int (*setThreads)(segc_model_model *, int) = nullptr;
  int (*workspaceBytes)(const segc_model_model *, const int64_t *, int, size_t *) = nullptr;
  int (*numInputs)(const segc_model_model *) = nullptr;
  int (*numOutputs)(const segc_model_model *) = nullptr;
  int (*numWeights)(const segc_model_model *) = nullptr;
  int (*inputInfo)(const segc_model_model *, int, segc_model_info *) = nullptr;
  int (*outputInfo)(const segc_model_model *, int, segc_model_info *) = nullptr;
  int (*weightInfo)(const segc_model_model *, int, segc_model_info *) = nullptr;
  int (*setObserver)(segc_model_model *, segc_model_observer, void *) = nullptr;
  const char *(*note)(const segc_model_model *) = nullptr;
  const char *(*variant)(const segc_model_model *) = nullptr;
  const char *(*lastError)() = nullptr;
  void (*denseNchw)(segc_model_tensor *) = nullptr;

  // Null in a library that does not train.
  int (*grad)(segc_model_model *, const segc_model_tensor *, int, const segc_model_tensor *, int) = nullptr;
  int (*update)(segc_model_model *) = nullptr;
  int (*step)(segc_model_model *, const segc_model_tensor *, int) = nullptr;
  int (*setWeight)(segc_model_model *, int, const float *) = nullptr;
  int (*getWeight)(segc_model_model *, int, float *) = nullptr;
  int (*gradient)(segc_model_model *, int, const float **) = nullptr;
  int (*gradientsFinite)(segc_model_model *, int *) = nullptr;
  int (*flat)(segc_model_model *, int, float **, size_t *) = nullptr;
  int (*numLosses)(const segc_model_model *) = nullptr;
  const char *(*lossName)(const segc_model_model *, int) = nullptr;
  int (*loss)(segc_model_model *, int, float *) = nullptr;
  int (*numTrainInputs)(const segc_model_model *) = nullptr;
  int (*numTrainOutputs)(const segc_model_model *) = nullptr;
  int (*trainInputInfo)(const segc_model_model *, int, segc_model_info *) = nullptr;
  int (*trainOutputInfo)(const segc_model_model *, int, segc_model_info *) = nullptr;
  int (*reshapeTrain)(segc_model_model *, const int64_t *) = nullptr;
  int (*setCheckFinite)(segc_model_model *, int) = nullptr;
  int (*setAccumulation)(segc_model_model *, int) = nullptr;
  int (*setSeed)(segc_model_model *, uint32_t) = nullptr;
  int64_t (*steps)(const segc_model_model *) = nullptr;
  int (*setSteps)(segc_model_model *, int64_t) = nullptr;
  int (*lossScale)(const segc_model_model *, double *, int64_t *) = nullptr;
  int (*setLossScale)(segc_model_model *, double, int64_t) = nullptr;
  double (*learningRate)(const segc_model_model *) = nullptr;

private:
  void *handle = nullptr;
};

/// A model handle of a library, destroyed with this.
class Instance {
public:
  explicit Instance(const Library &library) : library(library) {}
  ~Instance();
  Instance(const Instance &) = delete;
  Instance &operator=(const Instance &) = delete;
  segc_model_model *model = nullptr;
  const Library &library;
};

/// A directory of its own for temporary files, removed with all it holds.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  std::string path; ///< empty if none could be made
};

} // namespace segc
