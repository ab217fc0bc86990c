/// \file BatchFile: samples put one behind the other.
// SPDX-License-Identifier: MIT
#include "runtime/train/BatchFile.h"

namespace segc::train {

namespace {

template <typename T> void append(files::Tensor &tensor, const std::vector<T> &values) {
  const auto *bytes = reinterpret_cast<const uint8_t *>(values.data());
  tensor.bytes.insert(tensor.bytes.end(), bytes, bytes + values.size() * sizeof(T));
}

} // namespace

Result<files::TensorFile> batchTensors(const Dataset &dataset, LoaderOptions options, int64_t count) {
  options.batch = 1;
  Result<std::unique_ptr<Loader>> created = Loader::create(dataset, options);
  if (const Failure *failure = failureOf(created))
    return *failure;
  Loader &loader = *std::get<0>(created);
  const int64_t samples = count ? count : loader.samplesPerEpoch();
  files::Tensor image, mask, weight;
  image.name = "image";
  mask.name = "mask";
  mask.dtype = files::DType::I32;
  weight.name = "weight";
  for (int64_t i = 0; i < samples; ++i) {
    Result<Batch> next = loader.next();
    if (const Failure *failure = failureOf(next))
      return *failure;
    const auto &batch = std::get<Batch>(next);
    if (batch.n == 0)
      return dataset.description().file + ": the split '" + options.split + "' has only " +
             std::to_string(i) + " pictures, not " + std::to_string(samples);
    if (i == 0) {
      image.shape = {samples, batch.channels, batch.height, batch.width};
      mask.shape = weight.shape = {samples, batch.height, batch.width};
    } else if (batch.height != image.shape[2] || batch.width != image.shape[3]) {
      return dataset.description().file + ": " + batch.names[0] + " has " + std::to_string(batch.width) +
             " x " + std::to_string(batch.height) + " pixels, those before " +
             std::to_string(image.shape[3]) + " x " + std::to_string(image.shape[2]) +
             "; give the size of the crops with -size";
    }
    append(image, batch.images);
    append(mask, batch.masks);
    append(weight, batch.weights);
  }
  files::TensorFile file;
  file.tensors.push_back(std::move(image));
  file.tensors.push_back(std::move(mask));
  if (!weight.bytes.empty())
    file.tensors.push_back(std::move(weight));
  return file;
}

} // namespace segc::train
