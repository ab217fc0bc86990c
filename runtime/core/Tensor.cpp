/// \file What makes a caller's tensor usable, and the sentences that say why one is not.
// SPDX-License-Identifier: MIT
#include "runtime/core/Tensor.h"
#include "runtime/core/Error.h"
#include "runtime/core/Sizes.h"
#include "runtime/core/Table.h"

namespace segc::rt {
namespace {

int checkStrides(const char *what, const char *name, const segc_model_tensor &tensor, int64_t &last) {
  // From the smallest stride up, each must step over all that the smaller ones reach:
  // s_k > sum over smaller j of (extent_j - 1) * s_j. The sum over all is the last element.
  int order[4], count = 0;
  for (int k = 0; k < tensor.rank; ++k) {
    if (tensor.shape[k] == 1)
      continue; // its stride is never used
    if (tensor.strides[k] < 1)
      return fail(SEGC_MODEL_INVALID_TENSOR,
                  "%s '%s': stride %d is %lld; strides are in elements and positive (segc_model_dense_nchw "
                  "fills them)",
                  what, name, k, (long long)tensor.strides[k]);
    int at = count++;
    for (; at > 0 && tensor.strides[order[at - 1]] > tensor.strides[k]; --at)
      order[at] = order[at - 1];
    order[at] = k;
  }
  for (int i = 0; i < count; ++i) {
    const int k = order[i];
    int64_t reach;
    if (tensor.strides[k] <= last)
      return fail(SEGC_MODEL_INVALID_TENSOR,
                  "%s '%s': stride %d is %lld, so elements share addresses; it must exceed %lld", what, name,
                  k, (long long)tensor.strides[k], (long long)last);
    if (__builtin_mul_overflow(tensor.strides[k], tensor.shape[k] - 1, &reach) ||
        __builtin_add_overflow(last, reach, &last) || last >= kMaxElements)
      return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s': stride %d puts elements more than 2^31 - 1 apart",
                  what, name, k);
  }
  return SEGC_MODEL_OK;
}

} // namespace

int checkTensor(const char *what, const Header &table, const TensorDesc &desc, const int64_t *shape,
                const segc_model_tensor &tensor, Span &span) {
  const char *const name = text(table, desc.name);
  if (!tensor.data)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "%s '%s': data is NULL", what, name);
  if (tensor.dtype != int32_t(desc.dtype))
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s': type is %s, the model wants %s", what, name,
                nameOf(DType(tensor.dtype)), nameOf(desc.dtype));
  if (tensor.rank != int32_t(desc.rank))
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s': rank is %d, the model wants %u", what, name, tensor.rank,
                desc.rank);
  for (uint32_t k = 0; k < desc.rank; ++k)
    if (tensor.shape[k] != shape[k])
      return fail(SEGC_MODEL_NEEDS_RESHAPE,
                  "%s '%s': extent %u is %lld, but the model is set to %lld: correct it, or call %s first",
                  what, name, k, (long long)tensor.shape[k], (long long)shape[k], reshapeOf(table));
  int64_t last = 0;
  if (int status = checkStrides(what, name, tensor, last))
    return status;
  const uint32_t size = bytesOf(desc.dtype);
  span.begin = reinterpret_cast<uintptr_t>(tensor.data);
  if (span.begin % size)
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s': data is not aligned to the %u bytes of its type", what,
                name, size);
  if (__builtin_add_overflow(span.begin, uintptr_t(last + 1) * size, &span.end))
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s': it does not fit into the address space", what, name);
  return SEGC_MODEL_OK;
}

void fillDenseStrides(segc_model_tensor &tensor, bool channelsLast) {
  static const int orders[3][4] = {{2, 1, 0, 0}, {3, 2, 1, 0}, {1, 3, 2, 0}}; // innermost first
  if (tensor.rank != 3 && tensor.rank != 4)
    return;
  const int *order = orders[tensor.rank == 3 ? 0 : channelsLast ? 2 : 1];
  uint64_t stride = 1; // wraps for absurd shapes, which checkTensor() then refuses
  for (int i = 0; i < tensor.rank; ++i) {
    tensor.strides[order[i]] = int64_t(stride);
    stride *= uint64_t(tensor.shape[order[i]]);
  }
}

} // namespace segc::rt
