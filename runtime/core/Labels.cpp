/// \file Row by row over the caller's tensors; the place of a wrong label is looked for only where there is
/// one.
// SPDX-License-Identifier: MIT
#include "runtime/core/Labels.h"
#include "runtime/core/Error.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Table.h"
#include "runtime/core/Weights.h"

namespace segc::rt {
namespace {

/// Below this many labels waking other threads takes longer than looking.
constexpr int64_t kParallel = 1 << 15;

struct Labels {
  const segc_model_tensor *tensor;
  int64_t shape[4], strides[4]; ///< N, C, H, W; C = 1 for rank 3
  double classes, ignore;
  int64_t rows() const { return shape[0] * shape[1] * shape[2]; }
};

Labels labelsOf(const TensorDesc &desc, const segc_model_tensor &tensor) {
  Labels labels = {&tensor, {1, 1, 1, 1}, {0, 0, 0, 0}, double(desc.classes), double(desc.ignore)};
  for (int k = 0; k < tensor.rank; ++k) {
    const int axis = tensor.rank == 3 && k > 0 ? k + 1 : k;
    labels.shape[axis] = tensor.shape[k];
    labels.strides[axis] = tensor.strides[k]; // of an extent of 1 anything; its index is 0
  }
  return labels;
}

double toDouble(uint8_t v) { return v; }
double toDouble(int8_t v) { return v; }
double toDouble(int32_t v) { return v; }
double toDouble(float v) { return v; }

/// The first position in a row of a label that is none, -1 without; its value in `value`. NaN is none.
template <typename T, typename Convert>
int64_t findWrong(const T *row, const Labels &labels, Convert convert, double &value) {
  for (int64_t x = 0; x < labels.shape[3]; ++x) {
    value = convert(row[x * labels.strides[3]]);
    const bool isClass = value >= 0 && value < labels.classes && value == double(int32_t(value));
    if (!isClass && value != labels.ignore)
      return x;
  }
  return -1;
}

int64_t findWrong(const Labels &labels, int64_t row, double &value) {
  const int64_t y = row % labels.shape[2], rest = row / labels.shape[2];
  const int64_t at = y * labels.strides[2] + rest % labels.shape[1] * labels.strides[1] +
                     rest / labels.shape[1] * labels.strides[0];
  const auto plain = [](auto v) { return toDouble(v); };
  const void *data = labels.tensor->data;
  switch (DType(labels.tensor->dtype)) {
  case DType::U8:
    return findWrong(static_cast<const uint8_t *>(data) + at, labels, plain, value);
  case DType::I8:
    return findWrong(static_cast<const int8_t *>(data) + at, labels, plain, value);
  case DType::I32:
    return findWrong(static_cast<const int32_t *>(data) + at, labels, plain, value);
  case DType::F16:
    return findWrong(static_cast<const uint16_t *>(data) + at, labels, fromHalf, value);
  case DType::BF16:
    return findWrong(static_cast<const uint16_t *>(data) + at, labels, fromBFloat, value);
  default:
    return findWrong(static_cast<const float *>(data) + at, labels, plain, value);
  }
}

int checkRow(void *context, int, int row) {
  double value;
  return findWrong(*static_cast<const Labels *>(context), row, value) >= 0;
}

int describe(const Header &table, const TensorDesc &desc, const Labels &labels) {
  for (int64_t row = 0; row < labels.rows(); ++row) {
    double value;
    const int64_t x = findWrong(labels, row, value);
    if (x < 0)
      continue;
    const int64_t y = row % labels.shape[2], n = row / labels.shape[2] / labels.shape[1];
    return fail(
        SEGC_MODEL_INVALID_TENSOR,
        "target '%s': the label at n = %lld, y = %lld, x = %lld is %.10g; labels are whole numbers from 0 "
        "to %u, or %d for pixels that do not count",
        text(table, desc.name), (long long)n, (long long)y, (long long)x, value, desc.classes - 1,
        desc.ignore);
  }
  return SEGC_MODEL_OK;
}

} // namespace

int checkLabels(const Header &table, const segc_model_tensor *inputs, int lanes) {
  for (uint32_t i = 0; i < table.inputs.count; ++i) {
    const TensorDesc &desc = elements<TensorDesc>(table, table.inputs)[i];
    if (desc.classes == 0)
      continue;
    Labels labels = labelsOf(desc, inputs[i]);
    const int64_t rows = labels.rows(); // at most 2^31 - 1, as all elements
    if (segc_pool_v1_for(rows * labels.shape[3] < kParallel ? 1 : lanes, int(rows), checkRow, &labels))
      return describe(table, desc, labels);
  }
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
