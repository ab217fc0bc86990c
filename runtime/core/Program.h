/// \file The steps of a table made ready to run: a buffer descriptor for each view, an argument vector for
/// each step.
///
/// Everything that depends on shapes, weights or the workspace is written by bindStatic(); what is left for a
/// run are the pointers and strides of the caller's tensors, and the calls of the kernels.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"
#include "runtime/core/Lane.h"
#include "runtime/core/Layout.h"
#include "runtime/core/Recording.h"
#include "runtime/core/Table.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>

namespace segc::rt {

/// Memory that only the views of a training table point into.
struct TrainMemory {
  float *flat[kFlatBuffers]; ///< by FlatBuffer; null for those that do not exist
  float *loss, *hyper;
  int32_t *seed;
  double *partial;
};

/// Memory that views point into: the device's, where there is one.
struct Memory {
  char *arena; ///< null before there is a shape
  const void *const *weights;
  char *prepared;
  const TrainMemory *train; ///< null for a table of inference
};

struct Observer {
  segc_model_observer function;
  void *user;
};

/// Called after each launch, with the step's argument vector; a status other than OK ends the run with it.
struct Inspector {
  int (*function)(void *user, const Header &table, const StepDesc &step, void *const *args);
  void *user;
};

/// Where a view of a caller's tensor lies.
struct Binding {
  const uint8_t *host;
  halide_dimension_t dims[4];
};

struct Program {
  const Header *table = nullptr;
  const KernelFn *kernels = nullptr;
  halide_buffer_t *buffers = nullptr; ///< one for each view
  void **args = nullptr;              ///< for each step: &userContext, then its buffers
  uint32_t *vectors = nullptr;        ///< where in `args` a step begins, the lists one after another
  void *userContext = nullptr;        ///< lane 0
  uint32_t *external = nullptr;       ///< views of inputs and outputs, which run() patches
  uint32_t externalCount = 0;
  const uint8_t *stands = nullptr; ///< of the layout: borders that nothing overwrites; null: all are written
  bool bordersStand = false;       ///< since a run in this workspace has written them
  Device *device = nullptr;        ///< where the kernels run; null: here
  Recording kept[kStepLists] = {}; ///< what a device keeps of each list
  Recording update = {};           ///< of all lists of an update
  /// The same of what reads the caller's tensors, for the sets of them that it saw last: callers alternate
  /// between a few.
  static constexpr uint32_t kSets = 4;
  struct {
    Recording run, step; ///< of the list, or what grad() does; of a step of training
    uint64_t lastUse;    ///< 0: never
  } sets[kSets] = {};
  uint32_t set = 0;            ///< to which the list is bound now
  uint64_t uses = 0;           ///< of all sets
  Binding *bindings = nullptr; ///< of the external views, set after set

  /// Allocates descriptors and argument vectors; a status of the C interface.
  int allocate(const Header &table, const KernelFn *kernels, Lane *lane0);
  void free();

  /// Writes the descriptors of one list's views: extents, strides, and pointers into `memory`.
  void bindStatic(StepList list, const int64_t *sizes, const uint64_t *offsets, const Memory &memory);
  /// Writes pointers and strides of the views of the caller's tensors, which checkTensor() has accepted.
  void bindTensors(const int64_t *sizes, const segc_model_tensor *inputs, const segc_model_tensor *outputs);
  /// Runs the steps of a list in order. Returns a status of the C interface. A device that can do so repeats
  /// what it has recorded of them.
  int run(StepList list, const int64_t *sizes, const uint64_t *offsets, char *arena, const Observer &observer,
          const Inspector &inspector);
  /// What a device keeps of the run, and of a training step, with the tensors that are bound now.
  Recording &ofRun();
  Recording &ofStep();
  /// Drops what is kept of both with any tensors.
  void forgetSets();
  /// Loads the code of all kernels of a list, for which the views need not be bound to memory.
  int load(StepList list);

private:
  int runSteps(StepList list, const int64_t *sizes, const uint64_t *offsets, char *arena,
               const Observer &observer, const Inspector &inspector);
  void forget(StepList list);
  void forgetSet(uint32_t which);
  void chooseSet();
  int launch(const StepDesc &step, void **vector);
  int border(const BufferDesc &buffer, const int64_t *sizes, char *base);
};

/// Writes zeros around each image of a buffer that starts at `base`: the rows above and below, and the strips
/// between rows, where the right end of one row meets the left end of the next. Large borders are shared by
/// so many lanes.
void zeroBorder(const BufferDesc &buffer, const int64_t *sizes, char *base, int lanes = 1);

} // namespace segc::rt
