/// \file Copies between the caller's tensors and the device through pinned memory of the host, where each
/// tensor has a place: all copies are under way at once, and a run waits once.
// SPDX-License-Identifier: MIT
#include "runtime/core/Staging.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

constexpr uint64_t kDeviceAlignment = 256; ///< of each tensor: a row of DRAM sectors, OpenCL's largest type

/// The axes of a tensor with more than one element from the smallest to the largest stride; then its elements
/// in that order are dense.
struct Order {
  int count = 0, axes[4];
  uint64_t elements = 1;
  bool isDense = true;

  explicit Order(const segc_model_tensor &tensor) {
    for (int k = 0; k < tensor.rank; ++k) {
      if (tensor.shape[k] == 1)
        continue;
      int at = count++;
      for (; at > 0 && tensor.strides[axes[at - 1]] > tensor.strides[k]; --at)
        axes[at] = axes[at - 1];
      axes[at] = k;
    }
    for (int i = 0; i < count; ++i) {
      isDense = isDense && uint64_t(tensor.strides[axes[i]]) == elements;
      elements *= uint64_t(tensor.shape[axes[i]]);
    }
  }
};

/// Copies all elements between the tensor and a dense block in its order; `toBlock` says which way.
void copyElements(const segc_model_tensor &tensor, const Order &order, uint32_t size, char *block,
                  bool toBlock) {
  int64_t extent[4] = {1, 1, 1, 1}, stride[4] = {0, 0, 0, 0};
  for (int i = 0; i < order.count; ++i) {
    extent[i] = tensor.shape[order.axes[i]];
    stride[i] = tensor.strides[order.axes[i]] * size;
  }
  const bool isRun = stride[0] == int64_t(size) || extent[0] == 1;
  const size_t bytes = isRun ? size_t(extent[0]) * size : size;
  for (int64_t d = 0; d < extent[3]; ++d)
    for (int64_t c = 0; c < extent[2]; ++c)
      for (int64_t b = 0; b < extent[1]; ++b)
        for (int64_t a = 0; a < (isRun ? 1 : extent[0]); ++a, block += bytes) {
          char *element = static_cast<char *>(tensor.data) + d * stride[3] + c * stride[2] + b * stride[1] +
                          a * stride[0];
          memcpy(toBlock ? block : element, toBlock ? element : block, bytes);
        }
}

const TensorDesc &descOf(const Header &table, uint32_t i) {
  return i < table.inputs.count ? elements<TensorDesc>(table, table.inputs)[i]
                                : elements<TensorDesc>(table, table.outputs)[i - table.inputs.count];
}

} // namespace

int Staging::allocate(Device &device, const Header &table, const int64_t *sizes) {
  free(device);
  const uint32_t count = table.inputs.count + table.outputs.count;
  tensors = static_cast<segc_model_tensor *>(calloc(count + 1, sizeof(segc_model_tensor)));
  offsets = static_cast<uint64_t *>(calloc(count + 1, sizeof(uint64_t)));
  uint64_t all = 0;
  for (uint32_t i = 0; i < count && offsets; ++i) {
    const TensorDesc &desc = descOf(table, i);
    uint64_t bytes = bytesOf(desc.dtype);
    for (uint32_t k = 0; k < desc.rank; ++k)
      bytes *= uint64_t(sizes[desc.sizes[k]]);
    offsets[i] = all;
    all += (bytes + kDeviceAlignment - 1) / kDeviceAlignment * kDeviceAlignment;
  }
  if (!tensors || !offsets)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for inputs and outputs on their way to the device");
  const int status = device.driver->allocate(device, all ? all : 1, "inputs and outputs", &memory);
  return status ? status : device.driver->allocateHost(device, all ? all : 1, &bounce);
}

void Staging::free(Device &device) {
  if (isSending)
    device.driver->finish(device);
  if (memory)
    device.driver->release(device, memory);
  if (bounce)
    device.driver->releaseHost(device, bounce);
  ::free(tensors);
  ::free(offsets);
  *this = {};
}

int Staging::upload(Device &device, const Header &table, const segc_model_tensor *inputs,
                    const segc_model_tensor *outputs, Places there) {
  if (isSending)
    if (int status = device.driver->finish(device))
      return status;
  isSending = !there.inputs;
  const uint32_t ins = table.inputs.count;
  for (uint32_t i = 0; i < ins + table.outputs.count; ++i) {
    const segc_model_tensor &from = i < ins ? inputs[i] : outputs[i - ins];
    const Order order(from);
    const uint32_t size = bytesOf(descOf(table, i).dtype);
    segc_model_tensor &to = tensors[i];
    to = from;
    if (i < ins ? there.inputs : there.outputs)
      continue;
    to.data = memory + offsets[i];
    int64_t stride = 1;
    for (int k = 0; k < order.count; ++k) {
      to.strides[order.axes[k]] = stride;
      stride *= from.shape[order.axes[k]];
    }
    if (i >= ins)
      continue;
    copyElements(from, order, size, bounce + offsets[i], true);
    if (int status = device.driver->post(device, static_cast<char *>(to.data), bounce + offsets[i],
                                         order.elements * size))
      return status;
  }
  return SEGC_MODEL_OK;
}

int Staging::download(Device &device, const Header &table, const segc_model_tensor *outputs, Places there) {
  const uint32_t ins = table.inputs.count, outs = table.outputs.count;
  if (!outs || (there.outputs && device.stream != device.ownStream))
    return SEGC_MODEL_OK;
  for (uint32_t i = ins; i < ins + outs && !there.outputs; ++i)
    if (int status = device.driver->fetch(device, bounce + offsets[i], memory + offsets[i],
                                          Order(outputs[i - ins]).elements * bytesOf(descOf(table, i).dtype)))
      return status;
  if (int status = device.driver->finish(device))
    return status;
  isSending = false;
  for (uint32_t i = ins; i < ins + outs && !there.outputs; ++i) {
    const segc_model_tensor &to = outputs[i - ins];
    copyElements(to, Order(to), bytesOf(descOf(table, i).dtype), bounce + offsets[i], false);
  }
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
