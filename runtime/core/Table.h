/// \file Typed access to the arrays and strings of a model's constant table, and to the sizes of its types.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::rt {

template <typename T> const T *elements(const Header &table, const Section &section) {
  return reinterpret_cast<const T *>(reinterpret_cast<const char *>(&table) + section.offset);
}

inline const char *text(const Header &table, uint32_t id) {
  return elements<char>(table, table.strings) + id;
}

/// The step lists of a table; their steps are numbered through in this order.
enum class StepList : uint32_t { Prepare, Run, Norm, Update, Average, Accumulate, Unscale };
constexpr uint32_t kStepLists = 7;

inline const Section &section(const Header &table, StepList list) {
  switch (list) {
  case StepList::Prepare:
    return table.prepareSteps;
  case StepList::Run:
    return table.runSteps;
  case StepList::Norm:
    return table.normSteps;
  case StepList::Update:
    return table.updateSteps;
  case StepList::Average:
    return table.averageSteps;
  case StepList::Accumulate:
    return table.accumulateSteps;
  default:
    return table.unscaleSteps;
  }
}

/// What a training table says of training, null in a table of inference.
inline const TrainingDesc *trainingOf(const Header &table) {
  return table.training.count ? elements<TrainingDesc>(table, table.training) : nullptr;
}

/// The function that sets the shapes of the table's inputs, for texts.
inline const char *reshapeOf(const Header &table) {
  return table.training.count ? "reshape_train" : "reshape";
}

/// Of a weight's tensor.
inline uint64_t elementsOf(const WeightDesc &weight) {
  uint64_t count = 1;
  for (uint32_t k = 0; k < weight.rank; ++k)
    count *= uint64_t(weight.extents[k]);
  return count;
}

inline uint32_t bytesOf(DType type) {
  switch (type) {
  case DType::F64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F16:
  case DType::BF16:
    return 2;
  default:
    return 1;
  }
}

inline const char *nameOf(DType type) {
  switch (type) { // no static array: in an inline function it would be a symbol shared between libraries
  case DType::F32:
    return "F32";
  case DType::F16:
    return "F16";
  case DType::BF16:
    return "BF16";
  case DType::I8:
    return "I8";
  case DType::U8:
    return "U8";
  case DType::I32:
    return "I32";
  case DType::F64:
    return "F64";
  }
  return "unknown type";
}

constexpr uint64_t kAlignment = 64; ///< of buffers, scratch slabs and the workspace: one cache line, one zmm

inline uint64_t alignUp(uint64_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

} // namespace segc::rt
