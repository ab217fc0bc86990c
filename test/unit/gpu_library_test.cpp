/// \file A library for OpenCL through its C functions: strides with gaps, other sizes, several handles,
/// failures.
///
/// On a GPU where there is one; skipped where OpenCL has no device either.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/codegen/Link.h"
#include "compiler/frontend/Import.h"
#include "compiler/tools/InitialWeights.h"
#include "compiler/tools/Library.h"
#include "test/unit/e2e_support.h"
#include "test/unit/gpu_support.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <thread>

using namespace segc;

namespace {

/// The inner convolution has a border, the result is as large as the picture.
const char *const kModel = R"({"format": "segc-model/1", "name": "net",
  "inputs": [{"name": "x", "shape": [1, 3, "?", "?"], "dtype": "f32"}],
  "layers": [{"name": "a", "op": "conv", "channels": 8, "kernel": 3, "padding": "same", "activation": "relu"},
             {"name": "b", "op": "conv", "channels": 5, "kernel": 1}], "outputs": ["b"]})";

struct Built {
  TemporaryDirectory directory;
  std::unique_ptr<Library> gpu, cpu;
  std::vector<uint8_t> weights;
};

std::unique_ptr<Library> build(mlir::ModuleOp graph, const std::string &folder, schedules::Isa isa) {
  CompileOptions compile = test::compileOptions();
  compile.variants = {isa};
  std::string error;
  if (mlir::failed(compileLibrary({graph, {}}, compile, folder)))
    return nullptr;
  auto library = Library::open(folder + "/libnet.so", error);
  EXPECT_TRUE(library) << error;
  return library;
}

class GpuLibrary : public testing::Test {
protected:
  static void SetUpTestSuite() {
    if (!test::runsGpuCode())
      return;
    built = new Built;
    auto context = test::makeContext();
    Diagnostics diagnostics(llvm::errs());
    auto model = parseModel(diagnostics.addText(kModel, "net.json"), {}, {}, diagnostics);
    ASSERT_TRUE(mlir::succeeded(model));
    auto graph = importModel(*context, diagnostics, *model, {});
    ASSERT_TRUE(graph);
    auto weights = checkWeights(*graph, 1);
    ASSERT_TRUE(weights);
    built->weights = std::get<std::vector<uint8_t>>(files::serialise(*weights));
    built->gpu = build(*graph, built->directory.path + "/gpu", test::gpuIsa());
    built->cpu = build(*graph, built->directory.path + "/cpu", schedules::Isa::Portable);
    ASSERT_TRUE(built->gpu && built->cpu);
  }
  static void TearDownTestSuite() {
    delete built;
    built = nullptr;
  }
  void SetUp() override {
    if (!test::runsGpuCode())
      GTEST_SKIP() << "no GPU, and OpenCL has no driver here";
    ASSERT_TRUE(built && built->gpu && built->cpu);
  }

  static int create(const Library &library, Instance &instance) {
    return library.createFromMemory(built->weights.data(), built->weights.size(), &instance.model);
  }

  /// A tensor (1, c, h, w) in `storage` with these strides.
  static segc_model_tensor tensor(std::vector<float> &storage, int64_t c, int64_t h, int64_t w,
                                  std::initializer_list<int64_t> strides) {
    segc_model_tensor result = {storage.data(), SEGC_MODEL_F32, 4, {1, c, h, w}, {}};
    std::copy(strides.begin(), strides.end(), result.strides);
    return result;
  }

  static std::vector<float> picture(int64_t h, int64_t w) {
    std::vector<float> values(size_t(3 * h * w));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float(i * 37 % 101) / 50 - 1;
    return values;
  }

  /// The result for picture(h, w), dense in N, C, H, W.
  static std::vector<float> result(const Library &library, segc_model_model *model, int64_t h, int64_t w) {
    std::vector<float> in = picture(h, w), out(size_t(5 * h * w));
    segc_model_tensor x = tensor(in, 3, h, w, {3 * h * w, h * w, w, 1}),
                      y = tensor(out, 5, h, w, {5 * h * w, h * w, w, 1});
    const int64_t shape[] = {1, 3, h, w};
    EXPECT_EQ(library.reshape(model, shape), SEGC_MODEL_OK) << library.lastError();
    EXPECT_EQ(library.run(model, &x, 1, &y, 1), SEGC_MODEL_OK) << library.lastError();
    return out;
  }

  static void expectNear(const std::vector<float> &a, const std::vector<float> &b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-5f) << i;
  }

  static Built *built;
};

Built *GpuLibrary::built = nullptr;

} // namespace

TEST_F(GpuLibrary, AnySizeOneAfterAnother) {
  Instance gpu(*built->gpu), cpu(*built->cpu);
  ASSERT_EQ(create(*built->gpu, gpu), SEGC_MODEL_OK) << built->gpu->lastError();
  ASSERT_EQ(create(*built->cpu, cpu), SEGC_MODEL_OK);
  EXPECT_STREQ(built->gpu->variant(gpu.model), test::gpuIsa() == schedules::Isa::Cuda ? "cuda" : "opencl");
  for (auto [h, w] : {std::pair<int64_t, int64_t>{7, 5}, {33, 20}, {1, 1}, {16, 40}})
    expectNear(result(*built->gpu, gpu.model, h, w), result(*built->cpu, cpu.model, h, w));
}

TEST_F(GpuLibrary, GapsBetweenElementsStayAsTheyAre) {
  Instance gpu(*built->gpu);
  ASSERT_EQ(create(*built->gpu, gpu), SEGC_MODEL_OK);
  const int64_t h = 6, w = 9;
  const std::vector<float> dense = result(*built->gpu, gpu.model, h, w), in = picture(h, w);
  // Pixels of 8 floats of which 3 and 5 are the tensor's, rows of 11 pixels.
  const float kGap = -77;
  std::vector<float> source(size_t(h * 11 * 8), kGap), target(size_t(h * 11 * 8), kGap);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < h * w; ++i)
      source[size_t(i / w * 88 + i % w * 8 + c)] = in[size_t(c * h * w + i)];
  segc_model_tensor x = tensor(source, 3, h, w, {88 * h, 1, 88, 8}),
                    y = tensor(target, 5, h, w, {88 * h, 1, 88, 8});
  ASSERT_EQ(built->gpu->run(gpu.model, &x, 1, &y, 1), SEGC_MODEL_OK) << built->gpu->lastError();
  for (int64_t row = 0; row < h; ++row)
    for (int64_t column = 0; column < 11; ++column)
      for (int64_t c = 0; c < 8; ++c) {
        const float expected = c < 5 && column < w ? dense[size_t((c * h + row) * w + column)] : kGap;
        ASSERT_EQ(target[size_t(row * 88 + column * 8 + c)], expected) << row << " " << column << " " << c;
      }
}

TEST_F(GpuLibrary, HandlesInSeveralThreadsGiveTheSameBits) {
  std::vector<std::vector<float>> results(3);
  std::vector<std::thread> threads;
  for (std::vector<float> &mine : results)
    threads.emplace_back([&mine] {
      Instance gpu(*built->gpu);
      ASSERT_EQ(create(*built->gpu, gpu), SEGC_MODEL_OK);
      for (int i = 0; i < 5; ++i)
        mine = result(*built->gpu, gpu.model, 12, 14);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_F(GpuLibrary, TooLargeForTheDeviceIsAnErrorAndTheHandleGoesOn) {
  Instance gpu(*built->gpu);
  ASSERT_EQ(create(*built->gpu, gpu), SEGC_MODEL_OK);
  const std::vector<float> before = result(*built->gpu, gpu.model, 8, 8);
  const int64_t huge[] = {1, 3, 15000, 17000}; // 8 GB for the first layer alone
  const int status = built->gpu->reshape(gpu.model, huge);
  if (status == SEGC_MODEL_OK)
    GTEST_SKIP() << "this device has room for it";
  EXPECT_EQ(status, SEGC_MODEL_OUT_OF_MEMORY) << built->gpu->lastError();
  EXPECT_NE(std::string(built->gpu->lastError()).find("bytes of activations"), std::string::npos)
      << built->gpu->lastError();
  EXPECT_EQ(result(*built->gpu, gpu.model, 8, 8), before);
}
