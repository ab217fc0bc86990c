/// \file What a handle of a library that trains has besides: flat buffers, optimiser, switches.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Model.h"

namespace segc::rt {

/// Factors of the gradients of losses, powers of two: the first one, and how far it may fall and rise. It is
/// doubled after so many updates in a row.
constexpr double kFirstLossScale = 65536, kLeastLossScale = 1.0 / 16384, kMostLossScale = 16777216;
constexpr int64_t kGoodSteps = 2000;

/// Created zeroed. One for each handle of a library that trains.
struct Training {
  const TrainingDesc *desc;
  TrainMemory memory;      ///< where kernels find it
  TrainMemory host;        ///< where this code does: the same, or copies of what is on the device
  bool lent[kFlatBuffers]; ///< the caller may write to the copy of a buffer, which is the newer one
  char *vectors;           ///< the memory of loss, hyper, partial and seed; and the host's
  char *hostVectors;
  char *statistics; ///< where losses are scaled: those of norms before the first of `grads`, for kernels
  const void **inferWeights; ///< where the weights of the inference engine lie among the parameters
  uint32_t prepareReads;     ///< WeightFlags of what the training engine's @prepare reads
  uint32_t grads;            ///< gradients since the last update; at most 1 unless they are accumulated
  uint32_t seed;
  bool accumulate, checkFinite;
  bool hasLoss;   ///< grad() ran
  bool isSending; ///< nobody has waited yet for the hyper vectors that were sent
  /// The caller has had a pointer by which he may write to what update() uses, at any time.
  bool gradientsAreOpen;
  bool hasNorm;  ///< `norm` is the length of what update() uses, before any factor
  bool asksNorm; ///< gradients_finite() was called: grad() computes the norm on a device
  double norm;
  int64_t steps; ///< updates so far
  // Where losses are scaled (TrainingDesc::lossScaling); else 1 and 0.
  double lossScale;  ///< what their gradients are multiplied by
  int64_t goodSteps; ///< updates in a row with this scale
  double ownRate;    ///< the caller's learning rate; negative: the schedule's
};

/// The operations of the C interface without its checks of arguments and of concurrent use.
int computeGradient(segc_model_model &model, const segc_model_tensor *inputs,
                    const segc_model_tensor *outputs);
int updateWeights(segc_model_model &model);
/// Whether update() would move the weights by finite numbers.
int gradientsAreFinite(segc_model_model &model, bool &finite);
int setAccumulation(segc_model_model &model, bool on);
/// Gradient and update.
int stepModel(segc_model_model &model, const segc_model_tensor *inputs);

/// Whether an update needs the gradient's norm: to clip it, or where losses are scaled to tell whether it is
/// finite.
bool needsNorm(const TrainingDesc &desc);
/// Takes the norm from the sums that the list Norm has left, once the host has them.
void noteNorm(Training &training);
/// Parts of an update of `grads` gradients with this norm, where it is needed: what kernels read;
int beginUpdate(segc_model_model &model, uint32_t grads, double norm);
/// the optimiser and all that follows it;
int runUpdate(segc_model_model &model);
/// counters.
void endUpdate(Training &training);

/// The engines whose prepared weights come from those with one of these WeightFlags, or kAnyWeight, prepare
/// them again before they run.
constexpr uint32_t kAnyWeight = ~0u;
void markStale(segc_model_model &model, uint32_t flags);
/// Whether there is a device that records work, and nobody looks at each kernel by itself.
bool mayRepeat(const segc_model_model &model);
/// Runs a list of steps whose memory does not depend on a shape. The lanes have scratch.
int runList(segc_model_model &model, StepList list);
/// The learning rate of the next update, before a segment's factor.
double learningRate(const segc_model_model &model);

} // namespace segc::rt
