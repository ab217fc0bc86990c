/// \file The size expressions of a model's table, its conditions on shapes, and the limits on extents.
// SPDX-License-Identifier: MIT
#include "runtime/core/Sizes.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"

namespace segc::rt {

uint32_t axisPosition(uint32_t axis, uint32_t rank) {
  if (rank == 4)
    return axis < 4 ? axis : kNone;
  if (rank != 3 || axis == 1)
    return kNone;
  return axis == 0 ? 0 : axis - 1;
}

bool hasDefaultShape(const Header &table) {
  const SizeNode *nodes = elements<SizeNode>(table, table.sizes);
  for (uint32_t i = 0; i < table.sizes.count; ++i)
    if (nodes[i].op == SizeOp::Symbol && nodes[i].value == 0)
      return false;
  return true;
}

int64_t checkedElements(const int64_t *extents, uint32_t count) {
  int64_t product = 1;
  for (uint32_t i = 0; i < count; ++i)
    if (extents[i] < 1 || extents[i] > kMaxExtent || __builtin_mul_overflow(product, extents[i], &product) ||
        product > kMaxElements)
      return -1;
  return product;
}

namespace {

const char *axisName(uint32_t position, uint32_t rank) {
  static const char *const names[] = {"N", "C", "H", "W"};
  return names[rank == 3 && position > 0 ? position + 1 : position];
}

/// floor(a / b) for b > 0: C++ truncates towards zero.
int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// One node from its operands; false on overflow or a malformed node.
bool evaluate(const SizeNode &node, uint32_t index, const int64_t *values, int64_t &result) {
  bool binary = node.op == SizeOp::Add || node.op == SizeOp::Sub || node.op == SizeOp::Min ||
                node.op == SizeOp::Max || node.op == SizeOp::Product;
  if (node.a >= index || (binary && node.b >= index))
    return false;
  const int64_t a = values[node.a], b = binary ? values[node.b] : 0;
  switch (node.op) {
  case SizeOp::Add:
    return !__builtin_add_overflow(a, b, &result);
  case SizeOp::Sub:
    return !__builtin_sub_overflow(a, b, &result);
  case SizeOp::Mul:
    return !__builtin_mul_overflow(a, node.value, &result);
  case SizeOp::Div:
    result = node.value > 0 ? floorDiv(a, node.value) : 0;
    return node.value > 0;
  case SizeOp::Min:
    result = a < b ? a : b;
    return true;
  case SizeOp::Max:
    result = a > b ? a : b;
    return true;
  case SizeOp::Product:
    return !__builtin_mul_overflow(a, b, &result);
  default:
    return false;
  }
}

int checkInputExtents(const Header &table, const int64_t *shapes) {
  const TensorDesc *inputs = elements<TensorDesc>(table, table.inputs);
  for (uint32_t i = 0; i < table.inputs.count; ++i)
    for (uint32_t k = 0; k < inputs[i].rank; ++k)
      if (shapes[4 * i + k] < 1 || shapes[4 * i + k] > kMaxExtent)
        return fail(SEGC_MODEL_INVALID_SHAPE, "input '%s': %s is %lld; an extent is from 1 to %lld",
                    text(table, inputs[i].name), axisName(k, inputs[i].rank), (long long)shapes[4 * i + k],
                    (long long)kMaxExtent);
  return SEGC_MODEL_OK;
}

/// The caller's extents must be what the nodes of the input evaluate to: this catches fixed extents
/// (channels).
int checkAgainstInputs(const Header &table, const int64_t *shapes, const int64_t *values) {
  const TensorDesc *inputs = elements<TensorDesc>(table, table.inputs);
  for (uint32_t i = 0; i < table.inputs.count; ++i)
    for (uint32_t k = 0; k < inputs[i].rank; ++k)
      if (shapes[4 * i + k] != values[inputs[i].sizes[k]])
        return fail(SEGC_MODEL_INVALID_SHAPE, "input '%s': %s is %lld, the model wants %lld",
                    text(table, inputs[i].name), axisName(k, inputs[i].rank), (long long)shapes[4 * i + k],
                    (long long)values[inputs[i].sizes[k]]);
  return SEGC_MODEL_OK;
}

int checkConditions(const Header &table, const int64_t *values) {
  const SizeCheck *checks = elements<SizeCheck>(table, table.checks);
  for (uint32_t i = 0; i < table.checks.count; ++i) {
    const SizeCheck &check = checks[i];
    const int64_t a = values[check.a];
    if (check.kind == CheckKind::Equal && a != values[check.b])
      return fail(SEGC_MODEL_INVALID_SHAPE, "%s (%lld and %lld)", text(table, check.message), (long long)a,
                  (long long)values[check.b]);
    if (check.kind == CheckKind::AtLeast && a < check.value)
      return fail(SEGC_MODEL_INVALID_SHAPE, "%s (%lld, at least %lld)", text(table, check.message),
                  (long long)a, (long long)check.value);
  }
  return SEGC_MODEL_OK;
}

} // namespace

int evaluateSizes(const Header &table, const int64_t *shapes, int64_t *values) {
  const TensorDesc *inputs = elements<TensorDesc>(table, table.inputs);
  if (shapes)
    if (int status = checkInputExtents(table, shapes))
      return status;
  const SizeNode *nodes = elements<SizeNode>(table, table.sizes);
  for (uint32_t i = 0; i < table.sizes.count; ++i) {
    const SizeNode &node = nodes[i];
    if (node.op == SizeOp::Constant) {
      values[i] = node.value;
    } else if (node.op == SizeOp::Symbol) {
      uint32_t position = node.a < table.inputs.count ? axisPosition(node.b, inputs[node.a].rank) : kNone;
      if (position == kNone)
        return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: size %u names no input axis", i);
      if (!shapes && node.value == 0)
        return fail(SEGC_MODEL_NEEDS_RESHAPE, "%s of input '%s' is not fixed by the model: call %s first",
                    axisName(position, inputs[node.a].rank), text(table, inputs[node.a].name),
                    reshapeOf(table));
      values[i] = shapes ? shapes[4 * node.a + position] : node.value;
    } else if (!evaluate(node, i, values, values[i])) {
      return fail(SEGC_MODEL_INVALID_SHAPE, "the shapes are too large: a size does not fit into 64 bits");
    }
  }
  if (shapes)
    if (int status = checkAgainstInputs(table, shapes, values))
      return status;
  return checkConditions(table, values);
}

} // namespace segc::rt
