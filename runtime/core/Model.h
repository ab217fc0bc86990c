/// \file A model's handle: engines, weights, workspace, lanes.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Engine.h"
#include "runtime/core/Lane.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Weights.h"

namespace segc::rt {
struct Training;
} // namespace segc::rt

/// Created zeroed; destroyed in any state.
struct segc_model_model {
  segc::rt::Engine infer, train;
  segc::rt::Weights weights;    ///< those that run() reads unprepared; of a library that trains all
  segc::rt::Training *training; ///< null in a library that does not train
  char *workspace;              ///< of both engines, which run one at a time
  size_t workspaceBytes;
  bool callersWorkspace;
  bool retained;                        ///< the pool
  const segc::rt::Engine *scratchOwner; ///< the engine that lendScratch() served last
  segc::rt::Device device;              ///< without a driver: the processor
  const void **deviceWeights;           ///< where run() and @prepare find them on the device
  char *keptWeights;                    ///< the memory of those that run() reads
  segc::rt::Crew crew;
  segc::rt::Lane lanes[segc::rt::kMaxThreads];
  segc::rt::Observer observer;
  char note[1000];
  int busy; ///< 1 while a thread is inside
};

namespace segc::rt {

/// The table that names all weights.
const Header &weightsTable(const Variant &variant);

/// Finds a variant, checks and prepares the weights, sets the default shapes if there are any.
/// `mapped`: the weights are those of a MappedFile.
int createModel(const Variant *variants, uint32_t count, const void *weights, size_t bytes, bool mapped,
                segc_model_model **model);
void destroyModel(segc_model_model *model);

/// Finds the values of the table's weights in a block in safetensors format, notes what is left over.
int readWeights(segc_model_model &model, const Header &table, const unsigned char *keep, const void *block,
                size_t bytes);
/// Runs an engine's @prepare for the first time; there may be no workspace yet. `read` as for
/// Engine::prepare().
int firstPrepare(segc_model_model &model, Engine &engine, const Weights *read = nullptr);

/// What training adds to create and destroy: Training.cpp, or NoTraining.cpp in libraries that only infer.
int createTraining(segc_model_model &model, const void *weights, size_t bytes);
void destroyTraining(segc_model_model &model);
/// Before anything reads flat buffers on a device: what the caller may have written to their copies goes
/// there.
int returnFlat(segc_model_model &model);

/// The operations of the C interface without its checks of arguments and of concurrent use.
int setShape(segc_model_model &model, Engine &engine, const int64_t *shapes);
int setThreads(segc_model_model &model, int threads);
int setWorkspace(segc_model_model &model, void *memory, size_t bytes);
int setDeviceTensors(segc_model_model &model, Places there);
int setStream(segc_model_model &model, void *stream);
int runModel(segc_model_model &model, const segc_model_tensor *inputs, const segc_model_tensor *outputs);

/// The bytes of the workspace.
Span workspaceSpan(const segc_model_model &model);
/// Gives the lanes the scratch memory behind an engine's arena. Before any of its kernels runs.
void lendScratch(segc_model_model &model, Engine &engine);

} // namespace segc::rt
