/// \file How often a CUDA library calls the driver of fake_cuda.cpp in a training step: one graph, or two
/// where the host must see the gradient's norm, and one wait. What they compute: runtime_recording_test.cpp.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/frontend/Import.h"
#include "compiler/tools/InitialWeights.h"
#include "compiler/tools/Library.h"
#include "test/unit/e2e_support.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <dlfcn.h>
#include <map>
#include <sstream>

using namespace segc;

namespace {

/// Channels for tensor cores and others, running statistics, two rates.
const char *const kNet = R"({"format": "segc-model/1", "name": "net",
  "inputs": [{"name": "x", "shape": [1, 3, 12, 16], "dtype": "f32"}],
  "layers": [{"name": "a", "op": "conv", "channels": 16, "kernel": 3, "padding": "same", "norm": "batch",
              "activation": "relu"},
             {"name": "b", "op": "conv", "channels": 16, "kernel": 3, "padding": "same", "norm": "batch"},
             {"name": "c", "op": "conv", "channels": 5, "kernel": 1}], "outputs": ["c"],
  "training": {"targets": [{"name": "t", "shape": [1, 12, 16], "dtype": "i32"}],
    "losses": [{"type": "cross_entropy", "input": "c", "target": "t"}], "lr_scale": {"a": 0.5},
    "optimizer": {"type": "adam", "ema": 0.9)";

struct Kind {
  const char *name, *precision, *optimizer; ///< more of the optimiser
  int replays;                              ///< of a step
};
void PrintTo(const Kind &kind, std::ostream *out) { *out << kind.name; }

/// A library of one kind, and the driver of this process.
struct Trainer {
  TemporaryDirectory directory;
  std::unique_ptr<Library> library;
  std::vector<uint8_t> weights;
};

class CudaTraining : public testing::TestWithParam<Kind> {
protected:
  template <typename FunctionT> static void find(void *from, FunctionT &function, const std::string &name) {
    function = reinterpret_cast<FunctionT>(dlsym(from, name.c_str()));
    ASSERT_TRUE(function) << name;
  }
  void SetUp() override {
    driver = dlopen(SEGC_FAKE_CUDA, RTLD_NOW);
    find(driver, takeTrace, "fake_cuda_take_trace");
    find(driver, replays, "fake_cuda_replays");
    find(driver, plainLaunches, "fake_cuda_plain_launches");
    find(driver, misuses, "fake_cuda_misuses");
    find(driver, graphs, "fake_cuda_graphs");
    setenv("FAKE_CUDA", "trace=1", 1);
    unsetenv("SEGC_CUDA_GRAPHS");
    build(trainers[GetParam().name]);
    void *code = dlopen((trainer().directory.path + "/libnet.so").c_str(), RTLD_NOW | RTLD_NOLOAD);
    find(code, step, "net_step");
    find(code, setDeviceTensors, "net_set_device_tensors");
    find(code, setStream, "net_set_stream");
    dlclose(code);
  }
  void TearDown() override {
    EXPECT_EQ(misuses(), 0);
    EXPECT_EQ(graphs(), 0) << "graphs are left";
  }
  static void TearDownTestSuite() { trainers.clear(); }

  static void build(Trainer &of) {
    if (of.library)
      return;
    auto context = test::makeContext();
    Diagnostics diagnostics(llvm::errs());
    const std::string text = std::string(kNet) + GetParam().optimizer + "}}}";
    auto model = parseModel(diagnostics.addText(text, "net.json"), {}, {}, diagnostics);
    ASSERT_TRUE(mlir::succeeded(model));
    ImportOptions training;
    training.training = true;
    auto infer = importModel(*context, diagnostics, *model, {}),
         train = importModel(*context, diagnostics, *model, training);
    ASSERT_TRUE(infer && train);
    auto weights = checkWeights(*infer, 1);
    ASSERT_TRUE(weights);
    of.weights = std::get<std::vector<uint8_t>>(files::serialise(*weights));
    CompileOptions compile = test::compileOptions();
    compile.variants = {schedules::Isa::Cuda};
    compile.precision = GetParam().precision;
    std::string error;
    ASSERT_TRUE(mlir::succeeded(compileLibrary({*infer, *train}, compile, of.directory.path)));
    of.library = Library::open(of.directory.path + "/libnet.so", error);
    ASSERT_TRUE(of.library) << error;
  }
  static Trainer &trainer() { return trainers[GetParam().name]; }
  static const Library &library() { return *trainer().library; }

  /// A handle with a batch; what it does to the device.
  struct Handle {
    CudaTraining &test;
    Instance instance{library()};
    std::vector<float> in, out;
    std::vector<int32_t> labels;
    segc_model_tensor batch[2], y;
    int launches = 0, replays = 0; ///< of the last thing that was done: in no graph, of graphs

    explicit Handle(CudaTraining &test) : test(test) {
      const std::vector<uint8_t> &weights = trainer().weights;
      EXPECT_EQ(library().createFromMemory(weights.data(), weights.size(), &instance.model), 0)
          << library().lastError();
      shape(12, 16);
    }
    void shape(int64_t h, int64_t w) {
      in.assign(size_t(3 * h * w), 0.5f), out.assign(size_t(5 * h * w), 0);
      labels.assign(size_t(h * w), 1);
      batch[0] = {in.data(), SEGC_MODEL_F32, 4, {1, 3, h, w}, {}};
      batch[1] = {labels.data(), SEGC_MODEL_I32, 3, {1, h, w}, {}};
      y = {out.data(), SEGC_MODEL_F32, 4, {1, 5, h, w}, {}};
      for (segc_model_tensor *tensor : {&batch[0], &batch[1], &y})
        library().denseNchw(tensor);
      const int64_t shapes[] = {1, 3, h, w, 1, h, w, 0};
      EXPECT_EQ(library().reshape(instance.model, shapes), 0) << library().lastError();
      EXPECT_EQ(library().reshapeTrain(instance.model, shapes), 0) << library().lastError();
    }
    template <typename Call> std::string traceOf(const Call &call) {
      test.takeTrace();
      const int launched = test.plainLaunches(), replayed = test.replays();
      EXPECT_EQ(call(), 0) << library().lastError();
      launches = test.plainLaunches() - launched, replays = test.replays() - replayed;
      return test.takeTrace();
    }
    std::string step() {
      return traceOf([&] { return test.step(instance.model, batch, 2); });
    }
    std::string run() {
      return traceOf([&] { return library().run(instance.model, batch, 1, &y, 1); });
    }
    std::string gradAndUpdate() {
      return traceOf([&] {
        const int status = library().grad(instance.model, batch, 2, nullptr, 0);
        return status ? status : library().update(instance.model);
      });
    }
    /// One graph, or two, and nothing else but copies.
    void expectGraphs(const std::string &trace, int count) const {
      EXPECT_EQ(launches, 0) << trace;
      EXPECT_EQ(replays, count) << trace;
      EXPECT_EQ(lines(trace, {"wait"}).size(), 1u) << trace;
    }
    std::string lossScale() const {
      double scale = 0;
      int64_t good = 0;
      EXPECT_EQ(library().lossScale(instance.model, &scale, &good), 0);
      return std::to_string(long(scale)) + ", " + std::to_string(good) + ", " +
             std::to_string(library().steps(instance.model));
    }
  };

  /// The lines that begin with one of these words, blocks of memory numbered by their first use.
  static std::vector<std::string> lines(const std::string &trace, const std::vector<std::string> &words) {
    std::vector<std::string> found;
    std::map<std::string, size_t> numbers;
    std::istringstream stream(trace);
    for (std::string line; std::getline(stream, line);) {
      std::istringstream parts(line.substr(0, line.rfind(" on ")));
      std::string text;
      for (std::string part; parts >> part;) {
        const size_t plus = part.find('+');
        if (plus != std::string::npos)
          part = "m" + std::to_string(numbers.emplace(part.substr(0, plus), numbers.size()).first->second) +
                 part.substr(plus);
        text += part + " ";
      }
      for (const std::string &word : words)
        if (!text.rfind(word, 0))
          found.push_back(text);
    }
    return found;
  }
  static std::vector<std::string> work(const std::string &trace) { return lines(trace, {"launch", "zero"}); }

  void *driver = nullptr;
  const char *(*takeTrace)() = nullptr;
  int (*replays)() = nullptr, (*plainLaunches)() = nullptr, (*misuses)() = nullptr, (*graphs)() = nullptr;
  int (*step)(segc_model_model *, const segc_model_tensor *, int) = nullptr;
  int (*setDeviceTensors)(segc_model_model *, int, int) = nullptr;
  int (*setStream)(segc_model_model *, void *) = nullptr;
  static std::map<std::string, Trainer> trainers;
};

std::map<std::string, Trainer> CudaTraining::trainers;

} // namespace

TEST_P(CudaTraining, AStepIsGraphsThatDoWhatPlainLaunchesDo) {
  setenv("SEGC_CUDA_GRAPHS", "0", 1);
  Handle plain(*this);
  unsetenv("SEGC_CUDA_GRAPHS");
  Handle handle(*this);
  plain.step(), handle.step();
  EXPECT_GT(handle.launches, 10);
  const std::vector<std::string> expected = work(plain.step());
  EXPECT_EQ(plain.replays, 0);
  for (int i = 2; i < 5; ++i) {
    const std::string trace = handle.step();
    handle.expectGraphs(trace, GetParam().replays);
    EXPECT_EQ(work(trace), expected) << i;
    EXPECT_EQ(lines(trace, {"upload"}).size(), lines(plain.step(), {"upload"}).size()) << trace;
    EXPECT_EQ(trace.find("pageable"), std::string::npos) << trace;
  }
}

TEST_P(CudaTraining, GradientAndUpdateAreAGraphEach) {
  Handle handle(*this);
  handle.gradAndUpdate();
  std::string trace;
  for (int i = 2; i < 5; ++i)
    handle.expectGraphs(trace = handle.gradAndUpdate(), 2);
  // Who asks whether gradients are finite has the answer from then on without a word to the device.
  int finite = -1;
  const auto judged = [&] {
    const int status = library().grad(handle.instance.model, handle.batch, 2, nullptr, 0);
    return status ? status : library().gradientsFinite(handle.instance.model, &finite);
  };
  handle.traceOf(judged), handle.traceOf(judged);
  for (int i = 0; i < 3; ++i)
    handle.expectGraphs(handle.traceOf(judged), 1);
  EXPECT_EQ(finite, 1);
  setenv("FAKE_CUDA", "trace=1 nan=2048", 1);
  handle.traceOf(judged);
  EXPECT_EQ(finite, 0);
}

TEST_P(CudaTraining, EvaluationInBetweenKeepsTheGraphs) {
  Handle handle(*this);
  for (int i = 0; i < 3; ++i)
    handle.step(), handle.run();
  const std::string run = handle.run(), again = (handle.step(), handle.run());
  EXPECT_GT(work(again).size(), work(run).size()) << "what update() changed is prepared";
  EXPECT_EQ(handle.launches, 0) << again;
  handle.expectGraphs(handle.step(), GetParam().replays);
}

TEST_P(CudaTraining, AnotherShapeStreamOrWayOfSumming) {
  Handle handle(*this);
  segc_model_model *const model = handle.instance.model;
  const std::string small = (handle.step(), handle.step());
  handle.shape(20, 16);
  const std::string large = (handle.step(), handle.step());
  handle.expectGraphs(large, GetParam().replays);
  EXPECT_NE(work(large), work(small));
  ASSERT_EQ(library().setAccumulation(model, 1), 0);
  const std::string added = (handle.step(), handle.step(), handle.step());
  EXPECT_GT(work(added).size(), work(large).size());
  EXPECT_EQ(handle.launches, 0) << added;
  EXPECT_EQ(lines(added, {"wait"}).size(), 1u) << added;
  ASSERT_EQ(library().setAccumulation(model, 0), 0);
  handle.step();
  int (*makeStream)(void **, unsigned), (*endStream)(void *);
  int (*retain)(void **, int), (*push)(void *), (*pop)(void **);
  find(driver, makeStream, "cuStreamCreate"), find(driver, endStream, "cuStreamDestroy_v2");
  find(driver, retain, "cuDevicePrimaryCtxRetain");
  find(driver, push, "cuCtxPushCurrent_v2"), find(driver, pop, "cuCtxPopCurrent_v2");
  void *stream = nullptr, *context = nullptr;
  retain(&context, 0), push(context), makeStream(&stream, 0), pop(&context);
  ASSERT_EQ(setStream(model, stream), 0) << library().lastError();
  const std::string callers = handle.step();
  handle.expectGraphs(callers, GetParam().replays);
  EXPECT_EQ(work(callers), work(large));
  EXPECT_NE(callers.substr(callers.rfind(" on ")), large.substr(large.rfind(" on ")));
  ASSERT_EQ(setStream(model, nullptr), 0);
  push(context), endStream(stream), pop(&context);
}

/// Where losses are scaled: the gradient's graph, then what it changed is taken back.
TEST_P(CudaTraining, StepsThatOverflowChangeNothing) {
  Handle handle(*this);
  for (int i = 0; i < 3; ++i)
    handle.step();
  const bool scales = !std::strcmp(GetParam().precision, "f16");
  const std::string good = handle.step();
  setenv("FAKE_CUDA", "trace=1 nan=2048", 1);
  const std::string skipped = handle.step();
  EXPECT_EQ(handle.launches, 0);
  EXPECT_EQ(handle.replays, scales ? 1 : GetParam().replays);
  EXPECT_EQ(handle.lossScale(), scales ? "32768, 0, 4" : "1, 0, 5");
  EXPECT_EQ(lines(skipped, {"copy"}).size(), lines(good, {"copy"}).size() * (scales ? 2 : 1)) << skipped;
  EXPECT_EQ(work(skipped).size() < work(good).size(), scales) << skipped;
  setenv("FAKE_CUDA", "trace=1", 1);
  const std::string next = handle.step();
  handle.expectGraphs(next, GetParam().replays);
  EXPECT_EQ(work(next), work(good));
}

/// What cannot be recorded is done plainly; nothing is recorded halfway.
TEST_P(CudaTraining, ADriverThatRefuses) {
  Handle handle(*this);
  handle.step();
  setenv("FAKE_CUDA", "trace=1 launch=701", 1);
  EXPECT_EQ(step(handle.instance.model, handle.batch, 2), SEGC_MODEL_DEVICE_FAILED);
  EXPECT_NE(std::string(library().lastError()).find("too many resources"), std::string::npos);
  setenv("FAKE_CUDA", "trace=1", 1);
  EXPECT_EQ(graphs(), 0);
  const std::string plain = handle.step();
  EXPECT_EQ(handle.replays, 0);
  Handle other(*this);
  other.step();
  setenv("FAKE_CUDA", "trace=1 instantiate=801", 1);
  EXPECT_EQ(work(other.step()), work(plain));
  EXPECT_EQ(other.replays, 0);
  EXPECT_EQ(work(other.step()), work(plain));
  EXPECT_EQ(graphs(), 0);
}

TEST_P(CudaTraining, ObserversAndInspectorsSeeEachLaunch) {
  Handle handle(*this);
  handle.step(), handle.step();
  segc_model_model *const model = handle.instance.model;
  library().setObserver(
      model, [](void *, int, const char *, const char *, uint64_t) {}, nullptr);
  handle.step();
  EXPECT_GT(handle.launches, 10);
  library().setObserver(model, nullptr, nullptr);
  handle.step(); // which waits until the hyper vectors of the last update() are there
  handle.expectGraphs(handle.step(), GetParam().replays);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CudaTraining,
                         testing::Values(Kind{"f32", "f32", "", 1}, Kind{"bf16", "bf16", "", 1},
                                         Kind{"f16", "f16", "", 2},
                                         Kind{"clipped", "f32", R"(, "clip_norm": 1)", 2}),
                         [](const auto &info) { return std::string(info.param.name); });
