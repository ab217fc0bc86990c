/// \file TrainBatch: which target takes what, and filling them.
// SPDX-License-Identifier: MIT
#include "compiler/tools/TrainBatch.h"
#include "compiler/tools/RunTensors.h"
#include "runtime/files/Numbers.h"
#include <algorithm>

namespace segc {
namespace {

/// From which rows (or columns) of the picture a target's come.
struct Axis {
  int64_t in, out;
  int64_t operator()(int64_t i) const { return 2 * out <= in ? i * in / out : i + (in - out) / 2; }
};

bool readsLabels(const Loss &loss) {
  return loss.type == "cross_entropy" || loss.type == "focal" || loss.type == "dice" ||
         loss.type == "soft_iou";
}

const ModelInput *targetNamed(const Model &model, const std::string &name) {
  for (const ModelInput &target : model.training->targets)
    if (target.name == name)
      return &target;
  return nullptr;
}

/// The extent of a target for crops of `crop` pixels: as much smaller than it, or as many times, as the
/// model's own extents say; the crop's where they are open.
int64_t targetExtent(int64_t crop, int64_t input, int64_t target) {
  if (input <= 0 || target <= 0)
    return crop;
  return 2 * target <= input ? crop * target / input : crop - (input - target);
}

/// The classes that the network tells apart must be those of the data.
std::optional<std::string> checkClasses(const Loss &loss, int64_t channels, const train::Dataset &dataset) {
  const auto classes = int64_t(dataset.classes().size());
  const std::string data = dataset.description().file + ": the data has " + std::to_string(classes) +
                           (classes == 1 ? " class" : " classes");
  if (channels == 1 ? classes != 2 : channels != classes)
    return data + ", but '" + loss.input + "', which the loss " + loss.type + " reads, has " +
           std::to_string(channels) + (channels == 1 ? " channel (two classes)" : " channels") +
           "; change the network (perhaps -set classes=" + std::to_string(classes) + ") or the classes";
  return std::nullopt;
}

} // namespace

std::unique_ptr<TrainBatch> TrainBatch::create(TrainLibrary &library, const Model &model, int phase,
                                               const TrainSettings &settings, const train::Dataset &dataset,
                                               std::vector<std::string> &notes, std::string &error) {
  auto result = std::make_unique<TrainBatch>();
  const Library &functions = library.functions();
  auto build = [&]() -> std::optional<std::string> {
    if (functions.numTrainOutputs(library.model()))
      return "the model asks for gradients of inputs ('wrt'), which training has no use for; take it out";
    if (auto why = result->setShapes(library, model, settings))
      return why;
    for (int i = 1; i < functions.numTrainInputs(library.model()); ++i)
      if (auto why = result->addTarget(library, i, model, phase, settings, dataset, notes))
        return why;
    const bool weighted = std::any_of(result->targets.begin(), result->targets.end(),
                                      [](const Target &target) { return target.kind == Kind::Weights; });
    if (dataset.weighted() && !weighted)
      notes.push_back("the 'weights' of " + dataset.description().file +
                      " are not used: no loss has a pixel_weight");
    return std::nullopt;
  };
  if (auto why = build()) {
    error = *why;
    return nullptr;
  }
  return result;
}

std::optional<std::string> TrainBatch::setShapes(TrainLibrary &library, const Model &model,
                                                 const TrainSettings &settings) {
  const Library &functions = library.functions();
  const ModelInput &input = model.inputs[0];
  if (input.dtype != "f32")
    return "the model's input '" + input.name + "' has dtype " + input.dtype + "; training feeds f32";
  inputChannels = int(input.shape[1]);
  std::vector<int64_t> shapes = {settings.batch, input.shape[1], settings.height, settings.width};
  for (int i = 1; i < functions.numTrainInputs(library.model()); ++i) {
    segc_model_info info;
    if (functions.trainInputInfo(library.model(), i, &info))
      return functions.lastError();
    const ModelInput *target = targetNamed(model, info.name);
    const size_t rank = target->shape.size();
    const int64_t h = targetExtent(settings.height, input.shape[2], target->shape[rank - 2]),
                  w = targetExtent(settings.width, input.shape[3], target->shape[rank - 1]);
    if (rank == 4)
      shapes.insert(shapes.end(), {settings.batch, target->shape[1], h, w});
    else
      shapes.insert(shapes.end(), {settings.batch, h, w, 0});
  }
  if (functions.reshapeTrain(library.model(), shapes.data()))
    return "crops of " + std::to_string(settings.height) + "x" + std::to_string(settings.width) +
           " do not suit the network: " + functions.lastError() + "; -crop HxW gives another size";
  return std::nullopt;
}

std::optional<std::string> TrainBatch::addTarget(TrainLibrary &library, int index, const Model &model,
                                                 int phase, const TrainSettings &settings,
                                                 const train::Dataset &dataset,
                                                 std::vector<std::string> &notes) {
  const Library &functions = library.functions();
  segc_model_info info;
  if (functions.trainInputInfo(library.model(), index, &info))
    return functions.lastError();
  Target target;
  const std::vector<Loss> &losses = model.training->lossesIn(phase);
  for (size_t i = 0; i < losses.size(); ++i) {
    const Loss &loss = losses[i];
    if (loss.pixelWeight == info.name)
      target.kind = Kind::Weights;
    if (loss.target != info.name)
      continue;
    target.ignore = int32_t(loss.ignoreIndex);
    if (readsLabels(loss))
      target.kind = Kind::Labels;
    if (auto why = checkClasses(loss, library.lossChannels()[i], dataset))
      return why;
  }
  if (target.kind == Kind::Weights && !dataset.weighted())
    notes.push_back("the data has no 'weights' (docs/data.md): the target '" + std::string(info.name) +
                    "' is 1 everywhere");
  target.tensor.dtype = info.dtype;
  target.tensor.rank = info.rank;
  std::copy(info.shape, info.shape + 4, target.tensor.shape);
  functions.denseNchw(&target.tensor);
  size_t count = 1;
  for (int axis = 0; axis < info.rank; ++axis)
    count *= size_t(info.shape[axis]);
  target.memory.resize(count * size_t(files::byteSize(fileType(info.dtype))));
  targets.push_back(std::move(target));
  return std::nullopt;
}

void TrainBatch::fillTarget(Target &target, const train::Batch &batch) {
  const segc_model_tensor &t = target.tensor;
  const files::DType dtype = fileType(t.dtype);
  const auto bytes = size_t(files::byteSize(dtype));
  const int64_t planes = t.rank == 4 ? t.shape[1] : 1;
  const Axis rows{batch.height, t.shape[t.rank - 2]}, columns{batch.width, t.shape[t.rank - 1]};
  uint8_t *to = target.memory.data();
  for (int64_t n = 0; n < batch.n; ++n)
    for (int64_t c = 0; c < planes; ++c)
      for (int64_t y = 0; y < rows.out; ++y)
        for (int64_t x = 0; x < columns.out; ++x, to += bytes) {
          const auto from = size_t((n * batch.height + rows(y)) * batch.width + columns(x));
          const int32_t label = batch.masks[from];
          double value = 1;
          if (target.kind == Kind::Weights)
            value = batch.weights.empty() ? 1 : double(batch.weights[from]);
          else if (label == train::ignored)
            value = target.ignore;
          else
            value = target.kind == Kind::Labels ? label : label == (planes == 1 ? 1 : c);
          files::encode(dtype, value, to);
        }
}

void TrainBatch::fill(const train::Batch &batch) {
  segc_model_tensor input{};
  input.data = const_cast<float *>(batch.images.data()); // inputs are only read
  input.dtype = SEGC_MODEL_F32;
  input.rank = 4;
  const int64_t shape[4] = {batch.n, batch.channels, batch.height, batch.width};
  int64_t stride = 1;
  for (int axis = 3; axis >= 0; --axis) {
    input.shape[axis] = shape[axis];
    input.strides[axis] = stride;
    stride *= shape[axis];
  }
  bound = {input};
  for (Target &target : targets) {
    fillTarget(target, batch);
    target.tensor.data = target.memory.data();
    bound.push_back(target.tensor);
  }
}

} // namespace segc
