/// \file Throws layers and keeps those that the importer accepts.
// SPDX-License-Identifier: MIT
#include "test/unit/random_model.h"
#include "compiler/frontend/Import.h"
#include "compiler/report/Summary.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>
#include <numeric>
#include <random>

using namespace mlir;

namespace segc::test {
namespace {

constexpr int64_t kMostElements = 200'000;       ///< of a value
constexpr int64_t kMostMacs = 20'000'000;        ///< of a network, for the interpreter's sake
constexpr int64_t kMostTrainingMacs = 1'000'000; ///< differences evaluate it many times
constexpr int64_t kLargestExtent = 80;

struct Known {
  std::string name;
  std::vector<int64_t> shape;
  bool isPool = false, isConv = false;
  std::string input;
};

class Generator {
public:
  Generator(MLIRContext &context, uint64_t seed, bool training = false)
      : context(context), random(seed), mostMacs(training ? kMostTrainingMacs : kMostMacs) {}

  /// The same with a loss on every value that nothing reads, and at least one weight.
  std::string runTraining() {
    addInputs();
    for (int64_t k = 0; layers.empty(); ++k)
      accept(layer("conv", latest().name,
                   ", \"channels\": " + std::to_string(channels()) + ", \"kernel\": " + (k % 2 ? "1" : "3")),
             {"l0", {}, false, true, latest().name});
    int depth = between(2, 7);
    for (int tries = 0; static_cast<int>(layers.size()) < depth && tries < 40; ++tries)
      throwLayer();
    std::string whole = text(layers);
    whole.erase(whole.rfind('}'));
    return whole + ",\n  \"training\": {" + training() + "}\n}\n";
  }

  std::string run() {
    addInputs();
    int depth = between(1, 10);
    for (int tries = 0; static_cast<int>(layers.size()) < depth && tries < 60; ++tries)
      throwLayer();
    if (layers.empty())
      accept(layer("activation", latest().name, ", \"type\": \"relu\""),
             {"l0", {}, false, false, latest().name});
    return text(layers);
  }

private:
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <typename T> T oneOf(std::initializer_list<T> list) {
    return list.begin()[between(0, static_cast<int64_t>(list.size()) - 1)];
  }

  /// Around the widths of vectors and blocks most of the time.
  int64_t channels() {
    return chance(70) ? oneOf<int64_t>({1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 70})
                      : between(1, 70);
  }

  const Known &latest() { return values.back(); }
  /// Mostly the latest value.
  const Known &some() {
    return chance(75) ? latest() : values[between(0, static_cast<int64_t>(values.size()) - 1)];
  }

  void addInputs() {
    int64_t count = chance(85) ? 1 : 2, n = chance(60) ? 1 : between(2, 3);
    for (int64_t i = 0; i < count; ++i) {
      Known input{i ? "second" : "image",
                  {n, chance(60) ? between(1, 8) : channels(), between(1, 40), between(1, 40)},
                  false,
                  false,
                  ""};
      if (i && chance(70))
        std::copy(values[0].shape.begin() + 2, values[0].shape.end(), input.shape.begin() + 2);
      std::string dtype = chance(70) ? "f32" : oneOf({"u8", "i8", "f16", "bf16", "i32"});
      inputs += std::string(i ? ", " : "") + "{\"name\": \"" + input.name +
                "\", \"shape\": " + list(input.shape) + ", \"dtype\": \"" + dtype + "\"}";
      values.insert(values.begin(), input);
    }
  }

  static std::string list(const std::vector<int64_t> &numbers) {
    std::string text = "[";
    for (int64_t number : numbers)
      text += (text.size() > 1 ? ", " : "") + std::to_string(number);
    return text + "]";
  }

  /// One number for both axes, or two.
  std::string pair(std::function<int64_t()> number) {
    return chance(60) ? std::to_string(number()) : list({number(), number()});
  }

  std::string padding(int64_t most, bool same) {
    switch (between(0, same ? 4 : 3)) {
    case 0:
      return "0";
    case 1:
      return std::to_string(between(0, most));
    case 2:
      return list({between(0, most), between(0, most)});
    case 3:
      return list({between(0, most), between(0, most), between(0, most), between(0, most)});
    }
    return "\"same\"";
  }

  std::string activation() {
    std::string type = oneOf({"relu", "relu", "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu",
                              "silu", "sigmoid", "tanh", "hardsigmoid", "hardswish"});
    bool alpha = (type == "leaky_relu" || type == "elu") && chance(50);
    return "\"type\": \"" + type + "\"" + (alpha ? ", \"alpha\": 0.3" : "");
  }

  /// Groups that do not divide the channels are thrown away with their layer. Of a single pixel an image's
  /// own statistics may leave nothing but rounding, of which the next layer makes anything.
  std::string normFields(bool ofOnePixel) {
    std::string type = oneOf({"batch", "batch", "batch", "batch", "instance", "group", "layer"});
    if (ofOnePixel)
      type = "batch";
    std::string text = "\"type\": \"" + type + "\"";
    if (type == "group")
      text += ", \"groups\": " + std::to_string(oneOf<int64_t>({1, 2, 3, 4, 8, 16}));
    if (chance(20))
      text += ", \"eps\": 0.01, \"affine\": false";
    return text;
  }

  /// What may stand behind a convolution, concat or addition in the same layer.
  std::string tail(bool norm, bool ofOnePixel = false) {
    std::string text;
    if (norm && chance(35))
      text += ", \"norm\": {" + normFields(ofOnePixel) + "}";
    if (chance(50))
      text += ", \"activation\": {" + activation() + "}";
    return text;
  }

  std::string layer(const std::string &op, const std::string &input, const std::string &fields) {
    return "{\"name\": \"l" + std::to_string(layers.size()) + "\", \"op\": \"" + op + "\", \"input\": \"" +
           input + "\"" + fields + "}";
  }

  std::string convolution(const Known &x, bool deconv) {
    int64_t c = x.shape[1], out = channels(), groups = 1;
    if (chance(25)) {
      groups = chance(50) ? c : std::gcd(c, between(1, 16));
      out = groups * between(1, std::max<int64_t>(1, 70 / groups));
    }
    int64_t kernel = oneOf<int64_t>({1, 2, 3, 3, 3, 4, 5});
    std::string text = ", \"channels\": " + std::to_string(out) +
                       ", \"kernel\": " + pair([&] { return chance(80) ? kernel : between(1, 7); });
    if (groups > 1)
      text += ", \"groups\": " + std::to_string(groups);
    if (chance(deconv ? 70 : 30))
      text += ", \"stride\": " + pair([&] { return chance(70) ? 2 : between(1, 4); });
    if (chance(75))
      text += ", \"padding\": " + (chance(50) ? "\"same\"" : padding(std::max<int64_t>(1, kernel - 1), true));
    if (chance(15))
      text += ", \"dilation\": " + pair([&] { return between(1, 3); });
    if (deconv && chance(25))
      text += ", \"output_padding\": " + pair([&] { return between(0, 2); });
    if (chance(20))
      text += ", \"bias\": false";
    return text + tail(true);
  }

  /// Elements elsewhere. Reshapes exchange small factors between the axes.
  std::string relayout(const Known &x) {
    std::vector<int64_t> shape = x.shape, offset(4), size(4);
    std::string field;
    switch (between(0, 3)) {
    case 0:
      return layer("flatten", x.name, "");
    case 1:
      for (int i = 0; i < 3; ++i) {
        int64_t from = between(0, 3), to = between(0, 3), factor = oneOf<int64_t>({2, 3, shape[from]});
        if (shape[from] % factor == 0) {
          shape[from] /= factor;
          shape[to] *= factor;
        }
      }
      if (chance(40))
        shape[between(0, 3)] = -1;
      return layer("reshape", x.name, ", \"shape\": " + list(shape));
    case 2:
      shape = {0, 1, 2, 3};
      std::shuffle(shape.begin() + (chance(60) ? 1 : 0), shape.end(), random);
      return layer("transpose", x.name, ", \"perm\": " + list(shape));
    }
    for (size_t axis = 0; axis < 4; ++axis)
      if (chance(axis ? 60 : 25)) {
        offset[axis] = between(0, shape[axis] - 1);
        size[axis] = between(1, shape[axis] - offset[axis]);
      }
    return layer("slice", x.name, ", \"offset\": " + list(offset) + ", \"size\": " + list(size));
  }

  /// A classifier on windows, most of the time one that is one pass.
  std::string slidingWindow(const Known &x) {
    std::vector<int64_t> window = {std::min<int64_t>(x.shape[2], between(2, 12)),
                                   std::min<int64_t>(x.shape[3], between(2, 12))};
    std::string fields =
        ", \"window\": " + list(window) + ", \"stride\": " + pair([&] { return between(1, 4); });
    if (chance(30))
      fields += ", \"padding\": \"center\"";
    if (chance(20))
      fields += ", \"border\": \"image\"";
    std::string body;
    for (int64_t i = 0, count = between(0, 2); i < count; ++i)
      body += chance(60) ? "{\"op\": \"conv\", \"channels\": " + std::to_string(between(1, 20)) +
                               ", \"kernel\": " + pair([&] { return between(1, 3); }) +
                               (chance(25) ? ", \"padding\": \"same\"" : "") + tail(true) + "}, "
                         : "{\"op\": \"maxpool\", \"kernel\": 2}, ";
    return layer("sliding_window", x.name,
                 fields + ", \"layers\": [" + body + "{\"op\": \"dense\", \"units\": " +
                     std::to_string(between(1, 20)) + tail(true, true) + "}]");
  }

  void throwLayer() {
    const Known x = some();
    auto name = [&] { return "l" + std::to_string(layers.size()); };
    Known known{name(), {}, false, false, x.name};
    switch (between(0, 17)) {
    default: // also 0 to 3
      known.isConv = true;
      accept(layer("conv", x.name, convolution(x, false)), known);
      break;
    case 4:
    case 5: {
      std::string fields = convolution(x, true);
      for (const Known &value : values)
        if (value.isConv && chance(20)) {
          fields = ", \"channels\": " + std::to_string(channels()) + ", \"mirror\": \"" + value.name + "\"" +
                   tail(true);
          if (accept(layer("deconv", x.name, fields), known))
            return;
        }
      accept(layer("deconv", x.name, convolution(x, true)), known);
      break;
    }
    case 6: {
      if (chance(30)) {
        accept(chance(40)
                   ? layer("global_avgpool", x.name, "")
                   : layer("adaptive_avgpool", x.name, ", \"size\": " + pair([&] { return between(1, 8); })),
               known);
        break;
      }
      bool mean = chance(50);
      known.isPool = !mean;
      int64_t kernel = between(2, 3);
      std::string fields = ", \"kernel\": " + pair([&] { return chance(80) ? kernel : between(1, 4); });
      if (chance(40))
        fields += ", \"stride\": " + pair([&] { return between(1, 3); });
      if (chance(40))
        fields += ", \"padding\": " + padding(1, true);
      if (chance(15) && !mean)
        fields += ", \"dilation\": " + pair([&] { return between(1, 2); });
      if (chance(30))
        fields += ", \"ceil\": true";
      if (mean && chance(50))
        fields += ", \"count_include_pad\": true";
      accept(layer(mean ? "avgpool" : "maxpool", x.name, fields), known);
      break;
    }
    case 7:
    case 8: {
      for (const Known &pool : values)
        for (const Known &value : values)
          if (pool.isPool && value.shape == pool.shape && chance(60) &&
              accept(layer("unpool", value.name, ", \"pool\": \"" + pool.name + "\""), known))
            return;
      break;
    }
    case 9: {
      bool crop = chance(35);
      std::string names = "\"" + x.name + "\"";
      for (const Known &other : values)
        if ((crop || std::equal(x.shape.begin() + 2, x.shape.end(), other.shape.begin() + 2)) && chance(60))
          names = chance(50) ? names + ", \"" + other.name + "\"" : "\"" + other.name + "\", " + names;
      accept("{\"name\": \"" + name() + "\", \"op\": \"concat\", \"inputs\": [" + names + "]" +
                 (crop ? ", \"crop\": \"center\"" : "") + tail(true) + "}",
             known);
      break;
    }
    case 10: {
      std::string names, op = oneOf({"add", "add", "sub", "mul"});
      int count = 0;
      for (const Known &other : values) {
        bool fits = other.shape.size() == x.shape.size();
        for (size_t axis = 0; fits && axis < x.shape.size(); ++axis) // extents of 1 are repeated
          fits = other.shape[axis] == x.shape[axis] || other.shape[axis] == 1 || x.shape[axis] == 1;
        if (fits && chance(70))
          names += (count++ ? ", \"" : "\"") + other.name + "\"";
      }
      if (count > 1)
        accept("{\"name\": \"" + name() + "\", \"op\": \"" + op + "\", \"inputs\": [" + names + "]" +
                   tail(true) + "}",
               known);
      break;
    }
    case 11: {
      std::string target =
          "\"like\": \"" + values[between(0, static_cast<int64_t>(values.size()) - 1)].name + "\"";
      if (chance(60))
        target =
            "\"scale\": " +
            (chance(60) ? std::string("2") : oneOf<std::string>({"3", "1.5", "0.5", "[2, 1]", "[1.25, 3]"}));
      else if (chance(50))
        target = "\"size\": " + list({between(1, 40), between(1, 40)});
      std::string mode =
          ", \"mode\": \"" + oneOf<std::string>({"nearest", "bilinear", "bicubic", "zeros"}) + "\"";
      if (mode.find("bi") != std::string::npos && chance(40))
        mode += ", \"align_corners\": true";
      accept(layer("upsample", x.name, ", " + target + mode), known);
      break;
    }
    case 12: {
      if (chance(50)) {
        std::vector<int64_t> size = {between(1, x.shape[2]), between(1, x.shape[3])};
        std::string offset = chance(50) ? ""
                                        : ", \"offset\": " + list({between(0, x.shape[2] - size[0]),
                                                                   between(0, x.shape[3] - size[1])});
        accept(layer("crop", x.name, ", \"size\": " + list(size) + offset), known);
      } else {
        std::string mode = oneOf({"zero", "reflect", "replicate"});
        accept(layer("pad", x.name,
                     ", \"amount\": " + list({between(0, 3), between(0, 3), between(0, 3), between(0, 3)}) +
                         ", \"mode\": \"" + mode + "\""),
               known);
      }
      break;
    }
    case 13:
      accept(chance(50) ? layer("activation", x.name, ", " + activation())
                        : layer("norm", x.name, ", " + normFields(x.shape[2] * x.shape[3] == 1)),
             known);
      break;
    case 14:
      if (chance(30) && x.shape[1] * x.shape[2] * x.shape[3] < 4000) {
        accept(layer("dense", x.name, ", \"units\": " + std::to_string(channels()) + tail(true, true)),
               known);
        break;
      }
      accept(chance(70) ? layer(oneOf({"softmax", "log_softmax"}), x.name, "")
                        : layer("dropout", x.name, ", \"rate\": 0.3"),
             known);
      break;
    case 15:
      if (mostMacs != kMostTrainingMacs) // what only an argmax reads has no loss
        accept(layer("argmax", x.name, ""), known);
      break;
    case 16:
      accept(relayout(x), known);
      break;
    case 17:
      accept(slidingWindow(x), known);
      break;
    }
  }

  /// Is the network with this layer one that segc takes? Then it stays, and its shape is known.
  bool accept(const std::string &added, Known known) {
    std::vector<std::string> longer = layers;
    longer.push_back(added);
    Diagnostics diagnostics(llvm::nulls());
    std::vector<std::string> names = importableOps(context);
    std::vector<StringRef> ops(names.begin(), names.end());
    auto model = parseModel(diagnostics.addText(text(longer), "random.json"), {}, ops, diagnostics);
    if (failed(model))
      return false;
    auto graph = importModel(context, diagnostics, *model);
    if (!graph)
      return false;
    auto type = cast<RankedTensorType>(graph->lookupSymbol<func::FuncOp>("main").getResultTypes().back());
    int64_t macs = 0;
    for (const LayerRow &row : summarise(*graph, {}).rows)
      macs += row.macs;
    if (macs > mostMacs || type.getNumElements() > kMostElements || type.getShape().back() > kLargestExtent ||
        type.getShape()[type.getRank() - 2] > kLargestExtent)
      return false;
    layers = longer;
    known.shape = type.getShape();
    if (type.getRank() == 4) // nothing follows an argmax
      values.push_back(known);
    return true;
  }

  /// All values that nothing reads are outputs.
  std::string text(const std::vector<std::string> &list) {
    std::string all, outputs;
    for (size_t i = 0; i < list.size(); ++i) {
      all += std::string(i ? ",\n    " : "\n    ") + list[i];
      std::string name = "\"l" + std::to_string(i) + "\"";
      bool read = false;
      for (size_t later = i + 1; later < list.size(); ++later)
        read |= list[later].find(name) != std::string::npos;
      if (!read)
        outputs += (outputs.empty() ? "" : ", ") + name;
    }
    return "{\n  \"format\": \"segc-model/1\",\n  \"name\": \"random_net\",\n  \"inputs\": [" + inputs +
           "],\n  \"layers\": [" + all + "\n  ],\n  \"outputs\": [" + outputs + "]\n}\n";
  }

  bool isRead(size_t index) const {
    std::string name = "\"l" + std::to_string(index) + "\"";
    for (size_t later = index + 1; later < layers.size(); ++later)
      if (layers[later].find(name) != std::string::npos)
        return true;
    return false;
  }

  std::string training() {
    std::string targets, losses;
    for (const Known &value : values) {
      bool isLayer = value.name.front() == 'l' && isdigit(value.name[1]);
      if (!isLayer || value.shape.size() != 4 || isRead(std::stoul(value.name.substr(1))))
        continue;
      int64_t n = value.shape[0], c = value.shape[1], h = value.shape[2], w = value.shape[3];
      std::string kind = c == 1 ? oneOf({"bce", "focal", "dice", "soft_iou", "mse", "l1", "smooth_l1"})
                                : oneOf({"cross_entropy", "cross_entropy", "bce", "focal", "dice", "soft_iou",
                                         "mse", "smooth_l1"});
      constexpr int64_t kMostClasses = 1000; // of 28512, dice differs by what f32 loses in a softmax's sum
      if (c > kMostClasses)
        kind = "bce";
      bool labels = kind == "cross_entropy" || kind == "focal" || kind == "dice" || kind == "soft_iou";
      std::string target = "t_" + value.name, weight;
      targets += (targets.empty() ? "" : ", ") + std::string("{\"name\": \"") + target +
                 "\", \"shape\": " + (labels ? list({n, h, w}) : list({n, c, h, w})) + ", \"dtype\": \"" +
                 (labels ? "i32" : "f32") + "\"}";
      if (chance(30)) {
        weight = ", \"pixel_weight\": \"w_" + value.name + "\"";
        targets +=
            ", {\"name\": \"w_" + value.name + "\", \"shape\": " + list({n, h, w}) + ", \"dtype\": \"f32\"}";
      }
      const bool sums = chance(25);
      if (sums)
        weight += ", \"reduction\": \"sum\"";
      if (kind == "bce" && chance(50))
        weight += ", \"pos_weight\": \"auto\"";
      if ((kind == "dice" || kind == "soft_iou") && (chance(50) || sums)) // one ratio has nothing to sum
        weight += ", \"per_image\": true";
      losses += (losses.empty() ? "" : ", ") + std::string("{\"type\": \"") + kind + "\", \"input\": \"" +
                value.name + "\", \"target\": \"" + target +
                "\", \"weight\": " + oneOf({"1.0", "0.5", "2.0"}) + weight + "}";
    }
    return "\"targets\": [" + targets + "], \"losses\": [" + losses +
           "], \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.1}";
  }

  MLIRContext &context;
  std::mt19937_64 random;
  int64_t mostMacs;
  std::string inputs;
  std::vector<std::string> layers;
  std::vector<Known> values;
};

} // namespace

std::string randomModel(MLIRContext &context, uint64_t seed) { return Generator(context, seed).run(); }

std::string randomTraining(MLIRContext &context, uint64_t seed) {
  return Generator(context, seed, true).runTraining();
}

} // namespace segc::test
