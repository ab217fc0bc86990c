/// \file The tiny network's tables, a batch for it, and what training it should give.
// SPDX-License-Identifier: MIT
#include "runtime_training_support.h"
#include "runtime_training_kernels.h"
#include <cmath>

// The core declares these const; tests install one model after another.
extern "C" segc::rt::Variant segc_model_variants[1];

namespace segc::test {
namespace {

using namespace rt;

/// Where the parameters lie: w, b; gain, running.
constexpr uint64_t kFlatOf[] = {16, 32, 48, 0}; // by TinyModel::Weight
constexpr uint64_t kTrainableElements = 32, kTotalElements = 64;
constexpr int64_t kPadded = 64; ///< extent of the vectors that kernels read

/// A table under construction, with short names for its views.
struct Maker : TableBuilder {
  uint32_t zero = constant(0), one = constant(1), three = constant(TinyModel::channels), n, h, w;
  explicit Maker(const TinyOptions &options) {
    n = symbol(0, 0, 1);
    h = symbol(0, 2, options.height);
    w = symbol(0, 3, options.width);
    inputs.push_back({str("x"), DType::F32, 4, {n, three, h, w}});
    device = options.kernels ? DeviceKind::Cuda : DeviceKind::Cpu;
  }
  uint32_t pixels(Space space, uint32_t index, uint32_t c, DType type = DType::F32) {
    return view({space, index, type, 4, {c, w, h, n}, 0, zero, zero, 1, 1, 0});
  }
  uint32_t vector(Space space, uint32_t index, int64_t extent, DType type = DType::F32, uint64_t first = 0) {
    return view({space, index, type, 1, {constant(extent)}, 0, constant(int64_t(first)), zero, 1, 1, 0});
  }
  /// A view of w, (1, 1, 3, 1): rw, rh, c, k.
  uint32_t filter(Space space, uint32_t index) {
    return view({space, index, DType::F32, 4, {one, one, three, one}, 0, zero, zero, 1, 1, 0});
  }
  void weight(const char *name, uint32_t flags = 0, uint64_t flat = 0) {
    if (name[0] == 'w')
      weights.push_back({str(name), DType::F32, 4, flags, {1, TinyModel::channels, 1, 1}, flat});
    else
      weights.push_back({str(name), DType::F32, 1, flags, {1}, flat});
  }
};

std::vector<uint64_t> inference(const TinyOptions &options) {
  Maker t(options);
  for (const char *name : {"w", "gain", "b", "running"}) // another order than training's
    t.weight(name);
  t.outputs.push_back({t.str("y"), DType::F32, 4, {t.n, t.one, t.h, t.w}});
  t.prepared = {{0, 64}, {64, 64}};
  t.launch(t.prepareSteps, kPack,
           {t.filter(Space::Weight, 0), t.vector(Space::Weight, 1, 1), t.vector(Space::Prepared, 0, 3)},
           "pack");
  t.launch(t.prepareSteps, kShift,
           {t.vector(Space::Weight, 2, 1), t.vector(Space::Weight, 3, 1), t.vector(Space::Prepared, 1, 1)},
           "shift");
  t.launch(t.runSteps, kPredict,
           {t.pixels(Space::Input, 0, t.three), t.vector(Space::Prepared, 0, 3),
            t.vector(Space::Prepared, 1, 1), t.pixels(Space::Output, 0, t.one)},
           "predict");
  return t.build();
}

void addOptimizer(Maker &t, const TinyOptions &options) {
  const auto flat = [&](FlatBuffer which, const SegmentDesc &s) {
    return t.vector(Space::Flat, uint32_t(which), int64_t(s.count), DType::F32, s.first);
  };
  const SegmentDesc all = {0, kTrainableElements, 1};
  t.segments = {{0, 16, 1}, {16, 16, 0.5}};
  const bool momentum = options.desc.momentum != 0;
  const uint32_t sgd = options.nesterov ? kNesterov : momentum ? kMomentum : kSgd;
  const uint32_t kernel = options.desc.optimizer == OptimizerKind::Sgd    ? sgd
                          : options.desc.optimizer == OptimizerKind::Adam ? uint32_t(kAdam)
                                                                          : uint32_t(kAdamW);
  for (uint32_t i = 0; i < t.segments.size(); ++i) {
    std::vector<FlatBuffer> state;
    if (kernel != kSgd)
      state.push_back(FlatBuffer::State0);
    if (kernel == kAdam || kernel == kAdamW)
      state.push_back(FlatBuffer::State1);
    const SegmentDesc &s = t.segments[i];
    std::vector<uint32_t> list = {t.vector(Space::Hyper, i, kHyperFloats), flat(FlatBuffer::Parameters, s),
                                  flat(FlatBuffer::Gradients, s)};
    for (FlatBuffer which : state)
      list.push_back(flat(which, s));
    list.push_back(flat(FlatBuffer::Parameters, s));
    for (FlatBuffer which : state)
      list.push_back(flat(which, s));
    t.launch(t.updateSteps, kernel, list, "update", uint32_t(1 + state.size()));
  }
  if (options.desc.lossScaling) {
    const uint32_t hyper = t.vector(Space::Hyper, 0, kHyperFloats),
                   gradients = flat(FlatBuffer::Gradients, all);
    t.launch(t.runSteps, kScale, {hyper, gradients, gradients}, "scaled");
    t.launch(t.unscaleSteps, kUnscale,
             {t.vector(Space::Hyper, 0, kHyperFloats), flat(FlatBuffer::Gradients, all),
              flat(FlatBuffer::Gradients, all)},
             "unscale");
  }
  if (options.desc.clipNorm != 0 || options.desc.lossScaling)
    t.launch(t.normSteps, kSumSquares,
             {flat(FlatBuffer::Gradients, all), t.vector(Space::Partial, 0, kPartialSums, DType::F64)},
             "norm");
  if (options.desc.ema != 0)
    t.launch(t.averageSteps, kEma,
             {t.vector(Space::Hyper, 0, kHyperFloats), flat(FlatBuffer::Average, all),
              flat(FlatBuffer::Parameters, all), flat(FlatBuffer::Average, all)},
             "average");
  t.launch(t.accumulateSteps, kAccumulate,
           {flat(FlatBuffer::Accumulated, all), flat(FlatBuffer::Gradients, all),
            flat(FlatBuffer::Accumulated, all)},
           "accumulate");
}

std::vector<uint64_t> training(const TinyOptions &options) {
  Maker t(options);
  t.laneScratchBytes = 4096;
  t.inputs.push_back(
      {t.str("labels"), DType::I32, 3, {t.n, t.h, t.w}, kTarget, TinyModel::classes, TinyModel::ignore});
  t.weight("b", kTrainable, kFlatOf[TinyModel::kB]);
  t.weight("gain", 0, kFlatOf[TinyModel::kGain]);
  t.weight("running", rt::kRunning, kFlatOf[TinyModel::kRunning]);
  t.weight("w", kTrainable, kFlatOf[TinyModel::kW]);
  const auto buffer = [&](const char *name, uint32_t channels, DType type = DType::F32) {
    const bool dense = type == DType::F64;
    t.buffers.push_back({t.str(name), type, dense ? t.one : t.n, dense ? t.one : t.h, dense ? t.one : t.w,
                         channels, 0, 0, 0, 0, 0, 10});
  };
  buffer("x", TinyModel::channels);
  buffer("labels", 1);
  buffer("error", 1);
  buffer("sums", kSums, DType::F64);
  const auto x = [&] { return t.pixels(Space::Arena, 0, t.three); };
  const auto labels = [&] { return t.pixels(Space::Arena, 1, t.one); };
  const auto error = [&] { return t.pixels(Space::Arena, 2, t.one); };
  const auto sums = [&] { return t.vector(Space::Dense, 3, kSums, DType::F64); };
  const auto gain = [&] { return t.vector(Space::Prepared, 0, 1); };
  t.prepared = {{0, 64}, {64, 64}};
  t.launch(t.prepareSteps, kCopyGain, {t.vector(Space::Weight, TinyModel::kGain, 1), gain()}, "gain");
  if (options.preparesB)
    t.launch(t.prepareSteps, kCopyGain,
             {t.vector(Space::Weight, TinyModel::kB, 1), t.vector(Space::Prepared, 1, 1)}, "b");
  t.launch(t.runSteps, kCopy, {t.pixels(Space::Input, 0, t.three), x()}, "x");
  t.launch(t.runSteps, kImportLabels, {t.pixels(Space::Input, 1, t.one, DType::I32), labels()}, "labels");
  t.launch(t.runSteps, kErrorsOf,
           {x(), labels(), t.filter(Space::Weight, TinyModel::kW),
            options.preparesB ? t.vector(Space::Prepared, 1, 1) : t.vector(Space::Weight, TinyModel::kB, 1),
            gain(), error()},
           "error");
  t.launch(t.runSteps, kSumsOf, {x(), error(), labels(), sums()}, "sums");
  t.launch(t.runSteps, kGradW, {sums(), gain(), t.filter(Space::Gradient, TinyModel::kW)}, "grad w");
  t.launch(t.runSteps, kGradB, {sums(), t.vector(Space::Gradient, TinyModel::kB, 1)}, "grad b");
  t.launch(t.runSteps, kLosses,
           {sums(), t.vector(Space::Seed, 0, 2, DType::I32), t.vector(Space::Loss, 0, 3)}, "loss");
  t.launch(t.runSteps, kRunningMean,
           {t.vector(Space::Weight, TinyModel::kRunning, kPadded), sums(),
            t.vector(Space::Weight, TinyModel::kRunning, 1)},
           "running");
  if (options.wrt) {
    t.outputs.push_back({t.str("grad.x"), DType::F32, 4, {t.n, t.three, t.h, t.w}});
    t.launch(t.runSteps, kGradX,
             {error(), sums(), t.filter(Space::Weight, TinyModel::kW), gain(),
              t.pixels(Space::Output, 0, t.three)},
             "grad.x");
  }
  addOptimizer(t, options);
  t.training = {options.desc};
  t.training[0].lossCount = 2;
  t.training[0].trainableElements = kTrainableElements;
  t.training[0].totalElements = kTotalElements;
  t.milestones = options.milestones;
  t.losses = {t.str("mse:y"), t.str("seed:y")};
  return t.build();
}

} // namespace

TinyModel::TinyModel(const TinyOptions &o) : options(o) {
  if (options.infers)
    inferTable = inference(options);
  if (options.trains)
    trainTable = training(options);
  weights.entries = {{"w", {1, channels, 1, 1}, {0.5f, -1, 0.25f}},
                     {"b", {1}, {0.125f}},
                     {"gain", {1}, {1.5f}},
                     {"running", {1}, {0.25f}}};
}

void TinyModel::install() const {
  const auto header = [](const std::vector<uint64_t> &table) {
    return table.empty() ? nullptr : reinterpret_cast<const Header *>(table.data());
  };
  const KernelFn *const kernels = options.kernels ? options.kernels : tinyKernels;
  segc_model_variants[0] = {header(inferTable), inferTable.empty() ? nullptr : kernels, header(trainTable),
                            trainTable.empty() ? nullptr : kernels};
}

void TinyTest::create(const TinyModel &which) {
  segc_model_destroy(model);
  model = nullptr;
  tiny = which;
  tiny.install();
  const std::string block = tiny.weights.block();
  ASSERT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_OK)
      << segc_model_last_error();
}

void TinyTest::fill(int n, int h, int w, int salt) {
  const size_t pixels = size_t(n * h * w);
  x.resize(3 * pixels);
  dx.assign(3 * pixels, -77.f);
  y.assign(pixels, -77.f);
  labels.resize(pixels);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float((i * 7 + size_t(salt) * 3) % 11) / 4 - 1;
  for (size_t i = 0; i < pixels; ++i)
    labels[i] = (i + size_t(salt)) % 7 == 6 ? TinyModel::ignore : int32_t((i * 3 + size_t(salt)) % 5);
  batch[0] = {x.data(), SEGC_MODEL_F32, 4, {n, 3, h, w}, {}};
  batch[1] = {labels.data(), SEGC_MODEL_I32, 3, {n, h, w}, {}};
  out = {y.data(), SEGC_MODEL_F32, 4, {n, 1, h, w}, {}};
  grad = {dx.data(), SEGC_MODEL_F32, 4, {n, 3, h, w}, {}};
  for (segc_model_tensor *tensor : {&batch[0], &batch[1], &out, &grad})
    segc_model_dense_nchw(tensor);
  in = batch[0];
}

std::vector<float> TinyTest::weight(int index) const {
  std::vector<float> values(index == TinyModel::kW ? 3 : 1);
  EXPECT_EQ(segc_model_get_weight(model, index, values.data()), SEGC_MODEL_OK);
  return values;
}

std::vector<float> TinyTest::flat(int which) const {
  float *values = nullptr;
  size_t count = 0;
  EXPECT_EQ(segc_model_flat(model, which, &values, &count), SEGC_MODEL_OK);
  return std::vector<float>(values, values + count);
}

float TinyTest::loss(int index) const {
  float value = -1;
  EXPECT_EQ(segc_model_loss(model, index, &value), SEGC_MODEL_OK) << segc_model_last_error();
  return value;
}

void TinyTest::TearDown() { segc_model_destroy(model); }

void TinyReference::grad(const TinyTest &test) {
  const size_t n = size_t(test.batch[0].shape[0]), plane = test.labels.size() / n;
  double counting = 0, total = 0;
  loss = 0;
  for (double &g : gradient)
    g = 0;
  for (size_t i = 0; i < test.labels.size(); ++i) {
    const auto value = [&](size_t c) { return double(test.x[(i / plane * 3 + c) * plane + i % plane]); };
    total += value(0) + value(1) + value(2);
    if (test.labels[i] == TinyModel::ignore)
      continue;
    const double e = gain * (w[0] * value(0) + w[1] * value(1) + w[2] * value(2)) + b - test.labels[i];
    loss += e * e;
    ++counting;
    for (size_t c = 0; c < 3; ++c)
      gradient[c] += 2 * gain * e * value(c);
    gradient[3] += 2 * e;
  }
  loss /= counting;
  for (double &g : gradient)
    g /= counting;
  running = 0.9 * running + 0.1 * total / double(3 * test.labels.size());
}

void TinyReference::update(double rate) {
  norm = 0;
  for (double g : gradient)
    norm += g * g;
  norm = std::sqrt(norm);
  const double factor = desc.clipNorm > 0 ? std::min(1.0, desc.clipNorm / (norm + 1e-6)) : 1;
  ++steps;
  for (int i = 0; i < 4; ++i) {
    double &p = i < 3 ? w[i] : b;
    const double lr = i < 3 ? rate : rate / 2;
    double g = factor * gradient[i], move;
    if (desc.optimizer == OptimizerKind::AdamW)
      p -= lr * desc.weightDecay * p;
    else
      g += desc.weightDecay * p;
    if (desc.optimizer == OptimizerKind::Sgd) {
      state0[i] = desc.momentum * state0[i] + g;
      move = nesterov ? g + desc.momentum * state0[i] : desc.momentum != 0 ? state0[i] : g;
    } else {
      state0[i] = desc.beta1 * state0[i] + (1 - desc.beta1) * g;
      state1[i] = desc.beta2 * state1[i] + (1 - desc.beta2) * g * g;
      const double m = state0[i] / (1 - std::pow(desc.beta1, steps)),
                   v = state1[i] / (1 - std::pow(desc.beta2, steps));
      move = m / (std::sqrt(v) + desc.eps);
    }
    p -= lr * move;
    average[i] = desc.ema * average[i] + (1 - desc.ema) * p;
  }
}

} // namespace segc::test
