/// \file The memory of training where kernels find it, and what of it the host sees.
///
/// Of a library for processors both are the same. On a device the flat buffers and the small vectors lie
/// there, and the host has copies: flat() brings a buffer over and lends the copy to the caller, who may
/// write to it; before anything uses the buffer again it goes back.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Training.h"

namespace segc::rt {

/// Elements of a flat buffer, without its slack.
uint64_t flatElements(const TrainingDesc &desc, FlatBuffer which);

/// All functions that return an int return a status of the C interface.
/// Zeros in a buffer that there is not yet.
int allocateFlat(segc_model_model &model, FlatBuffer which);
/// Losses, hyper vectors of `segments` segments, partial sums, seeds.
int allocateVectors(segc_model_model &model, uint32_t segments);
void freeTrainMemory(segc_model_model &model);

/// The caller's pointer to a buffer with its values, null for a buffer that there is not.
int lendFlat(segc_model_model &model, FlatBuffer which, float **data);
/// The caller's pointer to part of a buffer, which he does not write to.
int showFlat(segc_model_model &model, FlatBuffer which, uint64_t first, uint64_t count, const float **data);
/// Elements of the parameters to and from the caller's memory.
int readParameters(segc_model_model &model, uint64_t first, uint64_t count, float *data);
int writeParameters(segc_model_model &model, uint64_t first, uint64_t count, const float *data);

/// The first `count` elements of one buffer into another one.
int copyFlat(segc_model_model &model, FlatBuffer to, FlatBuffer from, uint64_t count);
int clearFlat(segc_model_model &model, FlatBuffer which);

/// Where losses are scaled a step may be taken back: memory for the statistics that grad() updates, what they
/// are now, and what they were then.
int allocateStatistics(segc_model_model &model);
int keepStatistics(segc_model_model &model);
int restoreStatistics(segc_model_model &model);

/// Bytes of a small vector from the host's copy to where kernels read them, and back; `to` and `from` are the
/// same memory where there is no device. What is sent must stay until the device was waited for, which
/// fetchVector() does; what was requested is there then, too.
int sendVector(segc_model_model &model, void *to, const void *from, uint64_t bytes);
int requestVector(segc_model_model &model, void *to, const void *from, uint64_t bytes);
int fetchVector(segc_model_model &model, void *to, const void *from, uint64_t bytes);

} // namespace segc::rt
