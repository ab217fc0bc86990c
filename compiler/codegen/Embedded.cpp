/// \file The embedded files as ranges of bytes.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Embedded.h"

extern "C" {
extern const uint8_t segc_embedded_core[], segc_embedded_core_end[];
extern const uint8_t segc_embedded_training[], segc_embedded_training_end[];
extern const uint8_t segc_embedded_gpu[], segc_embedded_gpu_end[];
extern const uint8_t segc_embedded_gpu_training[], segc_embedded_gpu_training_end[];
extern const char segc_embedded_header[], segc_embedded_header_end[];
}

namespace segc {

llvm::ArrayRef<uint8_t> coreObject(bool training, bool gpu) {
  if (gpu && training)
    return {segc_embedded_gpu_training, segc_embedded_gpu_training_end};
  if (gpu)
    return {segc_embedded_gpu, segc_embedded_gpu_end};
  if (training)
    return {segc_embedded_training, segc_embedded_training_end};
  return {segc_embedded_core, segc_embedded_core_end};
}

llvm::StringRef headerTemplate() {
  return {segc_embedded_header, size_t(segc_embedded_header_end - segc_embedded_header)};
}

} // namespace segc
