/// \file TrainLibrary: compiling and opening; flat buffers to tensors and back.
// SPDX-License-Identifier: MIT
#include "compiler/tools/TrainLibrary.h"
#include "compiler/codegen/Link.h"
#include "compiler/tools/InitialWeights.h"
#include "dialects/hourglass/Hourglass.h"
#include <algorithm>
#include <cstring>

using namespace mlir;

namespace segc {
namespace {

/// "a, b and 3 more"
std::string listed(const std::vector<std::string> &names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i)
    text += (i ? ", " : "") + names[i];
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace

std::optional<files::TensorFile> allInitialWeights(LoadedModel &model, uint64_t seed) {
  ImportOptions everything;
  everything.everything = true;
  OwningOpRef<ModuleOp> whole = importModel(*model.context, *model.diagnostics, *model.model, everything);
  return whole ? initialWeights(*whole, seed) : std::nullopt;
}

std::optional<std::string> transferWeights(const files::TensorFile &from, const std::string &name,
                                           files::TensorFile &weights, std::vector<std::string> &notes) {
  std::vector<std::string> missing, differing, unused;
  for (files::Tensor &tensor : weights.tensors) {
    const files::Tensor *given = from.find(tensor.name);
    if (!given)
      missing.push_back(tensor.name);
    else if (given->shape != tensor.shape)
      differing.push_back(tensor.name + " (" + shapeText(given->shape) + " there, " +
                          shapeText(tensor.shape) + " here)");
    else if (given->dtype == files::DType::F32)
      tensor.bytes = given->bytes;
    else
      tensor = files::Tensor::fromNumbers(tensor.name, files::DType::F32, tensor.shape, given->numbers());
  }
  for (const files::Tensor &tensor : from.tensors)
    // A checkpoint's state of training has names with a slash.
    if (!weights.find(tensor.name) && tensor.name.find('/') == std::string::npos)
      unused.push_back(tensor.name);
  const size_t taken = weights.tensors.size() - missing.size() - differing.size();
  if (taken == 0)
    return name + ": no tensor has name and shape of one of the model's; it has " +
           listed(unused.empty() ? differing : unused) + ", the model has " +
           listed(missing.empty() ? differing : missing);
  notes.push_back(std::to_string(taken) + " of " + std::to_string(weights.tensors.size()) +
                  " tensors come from " + name);
  if (!differing.empty())
    notes.push_back("begin anew, for their shapes differ: " + listed(differing));
  if (!missing.empty())
    notes.push_back("begin anew, for " + name + " lacks them: " + listed(missing));
  if (!unused.empty())
    notes.push_back("not used of " + name + ": " + listed(unused));
  return std::nullopt;
}

std::unique_ptr<TrainLibrary> TrainLibrary::create(LoadedModel &model, int phase,
                                                   const files::TensorFile &weights, int threads) {
  ImportOptions importing;
  importing.training = true;
  importing.phase = phase;
  OwningOpRef<ModuleOp> training = importModel(*model.context, *model.diagnostics, *model.model, importing);
  if (!training)
    return nullptr;
  TemporaryDirectory directory;
  if (directory.path.empty()) {
    fail("cannot make a temporary directory");
    return nullptr;
  }
  if (failed(compileLibrary({*model.graph, *training}, model.compile, directory.path)))
    return nullptr;
  auto result = std::make_unique<TrainLibrary>();
  training->walk([&](hg::LossOp loss) {
    result->channels.push_back(cast<RankedTensorType>(loss->getOperand(0).getType()).getDimSize(1));
  });
  std::string error;
  // What is open stays when its folder goes.
  result->library = Library::open(directory.path + "/lib" + cPrefix(model.model->name) + ".so", error);
  if (!result->library) {
    fail(error);
    return nullptr;
  }
  auto bytes = files::serialise(weights);
  if (auto *why = std::get_if<std::string>(&bytes)) {
    fail(*why);
    return nullptr;
  }
  const auto &block = std::get<std::vector<uint8_t>>(bytes);
  result->handle = std::make_unique<Instance>(*result->library);
  if (result->library->createFromMemory(block.data(), block.size(), &result->handle->model) ||
      result->library->setThreads(result->model(), threads) || !result->bind()) {
    fail(result->library->lastError());
    return nullptr;
  }
  return result;
}

/// Learns where everything lies. The place of a weight in flat buffers is that of its gradient among them,
/// the first of which begins the buffer: flat() of the gradients would make the library compute their norm
/// twice a step, for their owner might write to them. A library for a GPU brings a buffer over with each call
/// of flat(), so every use of one begins with such a call.
bool TrainLibrary::bind() {
  size_t count = 0;
  for (auto [prefix, which] :
       {std::pair("state0/", SEGC_MODEL_FLAT_STATE0), std::pair("state1/", SEGC_MODEL_FLAT_STATE1),
        std::pair("average/", SEGC_MODEL_FLAT_AVERAGE)}) {
    float *buffer = nullptr;
    if (library->flat(model(), which, &buffer, &count))
      return false;
    if (buffer)
      states.emplace_back(prefix, which);
    if (which == SEGC_MODEL_FLAT_AVERAGE)
      hasAverage = buffer != nullptr;
  }
  std::vector<const float *> gradients;
  for (int i = 0; i < library->numWeights(model()); ++i) {
    segc_model_info info;
    if (library->weightInfo(model(), i, &info) ||
        library->gradient(model(), i, &gradients.emplace_back(nullptr)))
      return false;
    Weight weight{info.name, {info.shape, info.shape + info.rank}, 1, std::nullopt};
    for (int64_t extent : weight.shape)
      weight.elements *= size_t(extent);
    weights.push_back(std::move(weight));
  }
  const float *begin = nullptr;
  for (const float *gradient : gradients)
    if (gradient && (!begin || gradient < begin))
      begin = gradient;
  for (size_t i = 0; i < weights.size(); ++i)
    if (gradients[i])
      weights[i].flat = size_t(gradients[i] - begin);
  return true;
}

std::optional<std::string> TrainLibrary::readWeights(files::TensorFile &into) const {
  for (size_t i = 0; i < weights.size(); ++i)
    for (files::Tensor &tensor : into.tensors)
      if (tensor.name == weights[i].name &&
          library->getWeight(handle->model, int(i), reinterpret_cast<float *>(tensor.bytes.data())))
        return library->lastError();
  return std::nullopt;
}

std::variant<std::vector<files::Tensor>, std::string> TrainLibrary::state() const {
  std::vector<files::Tensor> result;
  for (const auto &[prefix, which] : states) {
    float *buffer = nullptr;
    size_t count = 0;
    if (library->flat(handle->model, which, &buffer, &count))
      return std::string(library->lastError());
    for (const Weight &weight : weights)
      if (weight.flat) {
        const auto *bytes = reinterpret_cast<const uint8_t *>(buffer + *weight.flat);
        result.push_back({prefix + weight.name,
                          files::DType::F32,
                          weight.shape,
                          {bytes, bytes + weight.elements * sizeof(float)}});
      }
  }
  return result;
}

std::optional<std::string> TrainLibrary::setState(const std::vector<files::Tensor> &from) {
  for (const auto &[prefix, which] : states) {
    float *buffer = nullptr;
    size_t count = 0;
    if (library->flat(model(), which, &buffer, &count))
      return library->lastError();
    for (const Weight &weight : weights) {
      if (!weight.flat)
        continue;
      const std::string name = prefix + weight.name;
      const auto found = std::find_if(from.begin(), from.end(),
                                      [&](const files::Tensor &tensor) { return tensor.name == name; });
      if (found == from.end() || found->shape != weight.shape || found->dtype != files::DType::F32)
        return (found == from.end() ? "there is no '" : "another shape has '") + name +
               "': the checkpoint belongs to another model or optimiser";
      memcpy(buffer + *weight.flat, found->bytes.data(), found->bytes.size());
    }
  }
  return std::nullopt;
}

std::optional<std::string> TrainLibrary::swapAverage() {
  size_t learning = 0, all = 0;
  float *parameters = nullptr, *average = nullptr;
  if (library->flat(model(), SEGC_MODEL_FLAT_AVERAGE, &average, &learning) ||
      library->flat(model(), SEGC_MODEL_FLAT_PARAMETERS, &parameters, &all))
    return library->lastError();
  std::swap_ranges(average, average + learning, parameters);
  return std::nullopt;
}

std::variant<bool, std::string> TrainLibrary::gradientsAreFinite() const {
  int finite = 0;
  if (library->gradientsFinite(handle->model, &finite))
    return std::string(library->lastError());
  return finite != 0;
}

} // namespace segc
