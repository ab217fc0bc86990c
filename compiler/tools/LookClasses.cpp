/// \file Gradient ascent on a picture, by a training library that has no loss but a score.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Look.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/pictures/File.h"
#include "runtime/train/Loader.h"
#include "runtime/train/Random.h"
#include "runtime/train/Table.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace segc {
namespace {

using pictures::Planes;

/// Turns the model into one whose step gives the gradient of the layer's scores by the input: everything is
/// frozen, so that norms use their running statistics, and nothing is dropped out.
bool makeScored(LoadedModel &loaded, const LookedAt &layer) {
  Model &model = *loaded.model;
  if (model.inputs[0].dtype != "f32") {
    fail("the model's input must be f32 to have a gradient");
    return false;
  }
  if (!layer.height || !layer.width) {
    fail("the model leaves the size of its input open: give one with -size HxW");
    return false;
  }
  for (Layer &each : model.layers)
    if (each.op == "dropout")
      for (Member &field : each.fields)
        if (field.key == "rate") {
          field.value.kind = Value::Int;
          field.value.integer = 0;
        }
  Training training;
  training.loc = model.nameLoc;
  ModelInput target;
  target.name = "look_target";
  while (model.producers.count(target.name) || target.name == model.inputs[0].name)
    target.name += "_";
  target.shape = {1, layer.channels, layer.height, layer.width};
  target.dtype = "f32";
  target.loc = model.nameLoc;
  Loss loss;
  loss.type = "score";
  loss.input = layer.name;
  loss.producer = layer.producer;
  loss.target = target.name;
  loss.reduction = "sum";
  loss.title = "the score of " + quote(layer.name);
  loss.loc = model.nameLoc;
  training.targets = {target};
  training.losses = {loss};
  training.freeze = {{"*", model.nameLoc}};
  training.wrt = {{model.inputs[0].name, model.nameLoc}};
  model.training = std::move(training);
  ImportOptions importing;
  importing.training = true;
  loaded.graph = importModel(*loaded.context, *loaded.diagnostics, model, importing);
  return static_cast<bool>(loaded.graph);
}

/// A handle with its tensors.
class Scorer {
public:
  explicit Scorer(Instance &instance) : instance(instance) {}

  /// Takes the extents of the picture and of its scores. On failure a sentence.
  std::optional<std::string> begin() {
    const Library &library = instance.library;
    segc_model_info image, scores;
    if (library.trainInputInfo(instance.model, 0, &image) ||
        library.trainInputInfo(instance.model, 1, &scores))
      return library.lastError();
    x = Planes(image.shape[1], image.shape[2], image.shape[3]);
    gradient = x;
    wanted = Planes(scores.shape[1], scores.shape[2], scores.shape[3]);
    bind(inputs[0], x);
    bind(inputs[1], wanted);
    bind(output, gradient);
    const int64_t shapes[8] = {1, x.channels,      x.height,      x.width,
                               1, wanted.channels, wanted.height, wanted.width};
    if (library.reshapeTrain(instance.model, shapes))
      return library.lastError();
    return std::nullopt;
  }

  /// From now on the score is the mean of this channel.
  void choose(int64_t channel) {
    std::fill(wanted.values.begin(), wanted.values.end(), 0.0f);
    const int64_t pixels = wanted.height * wanted.width;
    std::fill_n(wanted.row(channel, 0), pixels, 1.0f / static_cast<float>(pixels));
  }

  /// The score of x; `gradient` becomes that of -score.
  std::optional<std::string> run(double &score) {
    float loss = 0;
    const Library &library = instance.library;
    if (library.grad(instance.model, inputs, 2, &output, 1) || library.loss(instance.model, 0, &loss))
      return library.lastError();
    score = 0 - double(loss); // not -0
    return std::nullopt;
  }

  Planes x, gradient;

private:
  void bind(segc_model_tensor &tensor, Planes &planes) {
    tensor = {planes.values.data(), SEGC_MODEL_F32, 4, {1, planes.channels, planes.height, planes.width}, {}};
    instance.library.denseNchw(&tensor);
  }

  Instance &instance;
  Planes wanted;
  segc_model_tensor inputs[2], output;
};

/// What the network reads for a picture of one value.
Planes flat(const Planes &like, float value, const train::InputFormat &format) {
  Planes planes(like.channels, like.height, like.width);
  std::fill(planes.values.begin(), planes.values.end(), value);
  train::normalise(planes, format);
  return planes;
}

struct AscentOptions {
  int64_t steps = 200;
  uint64_t seed = 0;
  double rate = 0.05, decay = 1;
};

/// Ascends from noise around gray; x stays a picture. `first` and `last` are the scores at both ends. Not
/// `moved`: the gradient is 0 where it begins.
std::optional<std::string> ascend(Scorer &scorer, const AscentOptions &options,
                                  const train::InputFormat &format, int64_t channel, double &first,
                                  double &last, bool &moved) {
  const Planes black = flat(scorer.x, 0, format), white = flat(scorer.x, 1, format),
               gray = flat(scorer.x, 0.5f, format);
  const size_t count = gray.values.size();
  auto range = [&](size_t i) { return std::fabs(white.values[i] - black.values[i]); };
  auto limit = [&](size_t i, double value) {
    const float low = std::min(black.values[i], white.values[i]);
    return std::clamp(static_cast<float>(value), low, low + range(i));
  };
  train::Random random(options.seed, 0, 0);
  for (size_t i = 0; i < count; ++i)
    scorer.x.values[i] = limit(i, gray.values[i] + 0.02 * range(i) * random.normal());
  scorer.choose(channel);
  moved = true;
  for (int64_t step = 0; step <= options.steps; ++step) {
    if (auto why = scorer.run(last))
      return why;
    if (!std::isfinite(last))
      return "the score of channel " + std::to_string(channel) + " is not finite at step " +
             std::to_string(step) + "; do the weights belong to the model?";
    if (step == 0)
      first = last;
    if (step == options.steps)
      break;
    // With the penalty in parts of the range of values, whose mean square is 1/4 at most.
    double squares = 0, ofScore = 0;
    for (size_t i = 0; i < count; ++i) {
      ofScore += std::fabs(scorer.gradient.values[i]);
      const double r = range(i), away = (scorer.x.values[i] - gray.values[i]) / r;
      scorer.gradient.values[i] =
          static_cast<float>(-scorer.gradient.values[i] * r - 2 * options.decay * away / double(count));
      squares += double(scorer.gradient.values[i]) * scorer.gradient.values[i];
    }
    if (ofScore == 0 || squares == 0) {
      moved = step > 0;
      return std::nullopt;
    }
    // Steps of one length, which falls to a tenth: gradients of networks differ by powers of ten.
    const double part = static_cast<double>(step) / static_cast<double>(options.steps);
    const double length = options.rate * (1 - 0.9 * part) / std::sqrt(squares / double(count));
    for (size_t i = 0; i < count; ++i)
      scorer.x.values[i] = limit(i, scorer.x.values[i] + length * range(i) * scorer.gradient.values[i]);
  }
  return std::nullopt;
}

/// The picture that the network read as `x`.
pictures::Picture shown(const Planes &x, const train::InputFormat &format) {
  const Planes black = flat(x, 0, format), white = flat(x, 1, format);
  Planes planes = x;
  for (size_t i = 0; i < planes.values.size(); ++i)
    planes.values[i] = (x.values[i] - black.values[i]) / (white.values[i] - black.values[i]);
  if (format.bgr && planes.channels == 3)
    std::swap_ranges(planes.row(0, 0), planes.row(0, 0) + planes.height * planes.width, planes.row(2, 0));
  if (planes.channels != 3) { // gray, or whatever has no colours: the first plane
    planes.values.resize(static_cast<size_t>(planes.height * planes.width));
    planes.channels = 1;
  }
  return std::get<pictures::Picture>(pictures::toPicture(planes));
}

bool readAscent(const ToolOptions &options, AscentOptions &ascent) {
  auto steps = options.number(options::OPT_steps_eq, ascent.steps, 1, 1000000),
       seed = options.number(options::OPT_seed_eq, 0, 0, INT64_MAX);
  if (!steps || !seed)
    return false;
  ascent.steps = *steps;
  ascent.seed = static_cast<uint64_t>(*seed);
  for (auto [id, value] : {std::pair<unsigned, double *>(options::OPT_rate_eq, &ascent.rate),
                           {options::OPT_decay_eq, &ascent.decay}})
    if (options.has(id) &&
        (llvm::StringRef(options.value(id)).getAsDouble(*value) || !(*value >= 0 && *value <= 1e9))) {
      fail("'" + options.value(id) + "' must be a number from 0 to 1e9");
      return false;
    }
  return true;
}

} // namespace

int lookClasses(const ToolOptions &options, std::unique_ptr<LoadedModel> loaded, const Viewing &viewing) {
  AscentOptions ascent;
  auto layer = lookAt(options, viewing, *loaded);
  if (!layer || !readAscent(options, ascent))
    return 1;
  auto channels = readChannels(options, options::OPT_classes_eq, *layer, 64);
  if (!channels)
    return 1;
  if (!makeScored(*loaded, *layer))
    return 1;
  int exitCode = 1;
  auto opened = openModel(options, std::move(loaded), exitCode);
  if (!opened)
    return exitCode;
  Instance instance(*opened->library);
  if (!createInstance(options, *opened, instance))
    return 1;
  Scorer scorer(instance);
  if (auto why = scorer.begin())
    return fail(*why);
  for (const std::vector<double> *numbers : {&viewing.format().mean, &viewing.format().deviation})
    if (numbers->size() > 1 && static_cast<int64_t>(numbers->size()) != scorer.x.channels)
      return fail("the data's mean and std have " + llvm::Twine(numbers->size()) +
                  " numbers, the network reads " + llvm::Twine(scorer.x.channels) + " channels");
  train::Table table({"class", "score of noise", "score"});
  std::vector<pictures::SheetCell> cells;
  bool anyMoved = false;
  for (int64_t channel : *channels) {
    double first = 0, last = 0;
    bool moved = false;
    if (auto why = ascend(scorer, ascent, viewing.format(), channel, first, last, moved))
      return fail(*why);
    if (!moved)
      llvm::errs()
          << "note: the score of channel " << channel
          << " does not depend on the picture near gray (its gradient is 0); another -seed may help\n";
    anyMoved |= moved;
    const bool named = static_cast<int64_t>(viewing.names.size()) == layer->channels;
    const std::string name = named ? viewing.names[static_cast<size_t>(channel)] : std::to_string(channel);
    table.add({name, train::fixed(first, 3), train::fixed(last, 3)});
    cells.push_back({shown(scorer.x, viewing.format()), name + " " + train::fixed(last, 1)});
  }
  if (!anyMoved)
    return fail("no score can be climbed from gray");
  auto sheet = pictures::contactSheet(cells, cells.size() > 6 ? 8 : 3);
  if (auto *why = std::get_if<pictures::Failure>(&sheet))
    return fail(*why);
  if (auto why =
          pictures::writePicture(options.value(options::OPT_out_eq), std::get<pictures::Picture>(sheet)))
    return fail(*why);
  llvm::outs() << table.text();
  return 0;
}

} // namespace segc
