/// \file Training used wrongly: labels, numbers that are none, arguments, tables that lie.
// SPDX-License-Identifier: MIT
#include "runtime/core/Layout.h"
#include "runtime/core/Table.h"
#include "runtime_training_support.h"
#include <cmath>
#include <limits>

using namespace segc;
using namespace segc::test;

namespace {

struct TrainingMisuse : TinyTest {
  std::string error() const { return segc_model_last_error(); }
};

TEST_F(TrainingMisuse, LabelsAreCheckedBeforeAnythingRuns) {
  create(TinyModel());
  fill(1, 4, 5);
  const std::vector<float> parameters = flat(SEGC_MODEL_FLAT_PARAMETERS);
  for (int wrong : {5, -1, 254, 256, 1 << 24, INT32_MIN}) {
    labels[13] = wrong; // y 2, x 3
    EXPECT_EQ(step(), SEGC_MODEL_INVALID_TENSOR);
    EXPECT_EQ(error(), "target 'labels': the label at n = 0, y = 2, x = 3 is " + std::to_string(wrong) +
                           "; labels are whole numbers from 0 to 4, or 255 for pixels that do not count");
  }
  EXPECT_EQ(flat(SEGC_MODEL_FLAT_PARAMETERS), parameters);
  for (int right : {0, 4, 255}) {
    labels[13] = right;
    EXPECT_EQ(step(), SEGC_MODEL_OK) << error();
  }
}

TEST_F(TrainingMisuse, TheFirstWrongLabelIsNamedForAnyThreads) {
  create(TinyModel());
  const int64_t shapes[8] = {2, 3, 200, 300, 2, 200, 300, 0};
  ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK);
  fill(2, 200, 300);
  for (int y : {150, 151, 199})
    labels[size_t(60000 + y * 300 + 7)] = 77;
  for (int threads : {1, 3, 8}) {
    ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
    ASSERT_EQ(step(), SEGC_MODEL_INVALID_TENSOR);
    EXPECT_NE(error().find("n = 1, y = 150, x = 7 is 77"), std::string::npos) << error();
  }
}

/// Labels of every type, in strided memory.
TEST_F(TrainingMisuse, LabelsOfAllTypes) {
  const struct {
    rt::DType type;
    uint32_t good, ignored, bad; ///< bits of 4, of 9 and of what is no class
    const char *text;
  } cases[] = {
      {rt::DType::U8, 4, 9, 10, "is 10;"},
      {rt::DType::I8, 4, 9, 0xff, "is -1;"},
      {rt::DType::I32, 4, 9, 5, "is 5;"},
      {rt::DType::F32, 0x40800000, 0x41100000, 0x3fc00000, "is 1.5;"},
      {rt::DType::F32, 0x40800000, 0x41100000, 0x7fc00000, "is nan;"},
      {rt::DType::F32, 0x40800000, 0x41100000, 0xbf800000, "is -1;"},
      {rt::DType::F16, 0x4400, 0x4880, 0x3e00, "is 1.5;"},
      {rt::DType::BF16, 0x4080, 0x4110, 0x7f80, "is inf;"},
  };
  for (const auto &c : cases) {
    TinyModel tiny;
    const auto &header = *reinterpret_cast<const rt::Header *>(tiny.trainTable.data());
    auto &desc = const_cast<rt::TensorDesc *>(rt::elements<rt::TensorDesc>(header, header.inputs))[1];
    desc.dtype = c.type;
    desc.ignore = 9;
    create(tiny);
    fill(1, 4, 5);
    const uint32_t size = rt::bytesOf(c.type);
    alignas(64) unsigned char memory[4 * 7 * 3 * 4] = {};
    batch[1] = {memory, int32_t(c.type), 3, {1, 4, 5}, {0, 21, 3}};
    const auto set = [&](int y, int px, uint32_t bits) {
      std::memcpy(memory + (y * 21 + px * 3) * size, &bits, size);
    };
    set(3, 1, c.ignored);
    set(0, 2, c.good);
    // The import kernel of the tiny network reads i32; what counts here is the check before it.
    EXPECT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK) << c.text << error();
    set(3, 4, c.bad);
    EXPECT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_INVALID_TENSOR) << c.text;
    EXPECT_NE(error().find("y = 3, x = 4 " + std::string(c.text)), std::string::npos) << error();
  }
}

TEST_F(TrainingMisuse, TheFirstNumberThatIsNoneIsNamed) {
  TinyOptions options;
  options.desc.clipNorm = 1;
  create(TinyModel(options));
  const int64_t shapes[8] = {2, 3, 60, 300, 2, 60, 300, 0};
  ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK);
  fill(2, 60, 300);
  ASSERT_EQ(segc_model_set_check_finite(model, 1), SEGC_MODEL_OK);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(step(), SEGC_MODEL_OK) << error();
  const std::vector<float> parameters = flat(SEGC_MODEL_FLAT_PARAMETERS);
  const auto expectFailure = [&](const std::string &text) {
    for (int threads : {1, 4}) {
      ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
      EXPECT_EQ(step(), SEGC_MODEL_NOT_FINITE);
      EXPECT_EQ(error(), text + ": look at the inputs, take a smaller learning rate or clip the gradient");
      EXPECT_EQ(flat(SEGC_MODEL_FLAT_PARAMETERS), parameters) << "weights and statistics stay";
    }
  };
  const size_t where = ((1 * 3 + 2) * 60 + 17) * 300 + 240; // n 1, channel 2, y 17, x 240
  const float before = x[where];
  x[where] = std::nanf("");
  x[where + 1] = INFINITY;
  expectFailure("step 3: 'x' (kernel 'problem of x') wrote NaN at n 1, y 17, x 240, channel 2");
  x[where] = -INFINITY;
  expectFailure("step 3: 'x' (kernel 'problem of x') wrote an infinity at n 1, y 17, x 240, channel 2");
  x[where] = before;
  x[where + 1] = 3e38f; // finite, but not its sum with the others
  x[where + 1 - 18000] = 3e38f;
  const float huge[3] = {1, 10, 10}, old[3] = {parameters[0], parameters[1], parameters[2]};
  ASSERT_EQ(segc_model_set_weight(model, TinyModel::kW, huge), SEGC_MODEL_OK);
  EXPECT_EQ(step(), SEGC_MODEL_NOT_FINITE);
  EXPECT_EQ(error().find("step 3: 'error' (kernel 'problem of error') wrote an infinity at n 1, y 17, x 241, "
                         "channel 0"),
            0u)
      << error();
  ASSERT_EQ(segc_model_set_weight(model, TinyModel::kW, old), SEGC_MODEL_OK);
  float value;
  EXPECT_EQ(segc_model_loss(model, 0, &value), SEGC_MODEL_INVALID_ARGUMENT) << "there is none";
  EXPECT_EQ(segc_model_update(model), SEGC_MODEL_INVALID_ARGUMENT) << "nor a gradient";
  fill(2, 60, 300);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << "still usable: " << error();
}

TEST_F(TrainingMisuse, FinitenessOfTheUpdate) {
  TinyOptions options;
  options.desc.clipNorm = 1;
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(segc_model_set_check_finite(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  const std::vector<float> parameters = flat(SEGC_MODEL_FLAT_PARAMETERS);
  float *gradients;
  size_t count;
  ASSERT_EQ(segc_model_flat(model, SEGC_MODEL_FLAT_GRADIENTS, &gradients, &count), SEGC_MODEL_OK);
  gradients[16] = std::nanf("");
  EXPECT_EQ(segc_model_update(model), SEGC_MODEL_NOT_FINITE);
  EXPECT_NE(error().find("step 0: 'norm'"), std::string::npos) << error();
  EXPECT_EQ(flat(SEGC_MODEL_FLAT_PARAMETERS), parameters);
  EXPECT_EQ(segc_model_steps(model), 0);

  // Finite gradients, but a step too far.
  create(TinyModel());
  ASSERT_EQ(segc_model_set_check_finite(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_flat(model, SEGC_MODEL_FLAT_GRADIENTS, &gradients, &count), SEGC_MODEL_OK);
  gradients[2] = -3e38f;
  ASSERT_EQ(segc_model_set_learning_rate(model, 1e30), SEGC_MODEL_OK);
  EXPECT_EQ(segc_model_update(model), SEGC_MODEL_NOT_FINITE);
  EXPECT_NE(error().find("'update' (kernel 'problem of update') wrote an infinity at element [2]"),
            std::string::npos)
      << error();
}

/// Only what a step writes counts: the infinite eps that it reads gives a step of 0.
TEST_F(TrainingMisuse, FinitenessOfResultsAlone) {
  TinyOptions options;
  options.desc.optimizer = rt::OptimizerKind::Adam;
  options.desc.eps = INFINITY;
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(segc_model_set_check_finite(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << error();
  EXPECT_EQ(weight(TinyModel::kW), (std::vector<float>{0.5f, -1, 0.25f}));
}

/// Without the check a NaN goes where it goes; as in PyTorch a clipped gradient spreads it.
TEST_F(TrainingMisuse, UncheckedNumbersSpread) {
  TinyOptions options;
  options.desc.clipNorm = 1;
  create(TinyModel(options));
  fill(1, 4, 5);
  x[3] = std::nanf("");
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_TRUE(std::isnan(loss()));
  EXPECT_TRUE(std::isnan(weight(TinyModel::kB)[0]));
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  float *gradients;
  size_t count;
  ASSERT_EQ(segc_model_flat(model, SEGC_MODEL_FLAT_GRADIENTS, &gradients, &count), SEGC_MODEL_OK);
  gradients[16] = std::nanf("");
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  EXPECT_TRUE(std::isnan(weight(TinyModel::kW)[0]));
}

TEST_F(TrainingMisuse, NullsCountsAndIndices) {
  create(TinyModel());
  fill(1, 4, 5);
  const int invalid = SEGC_MODEL_INVALID_ARGUMENT;
  segc_model_info info;
  float value[8], *data;
  const float *gradient;
  size_t count;
  const int64_t shapes[8] = {1, 3, 4, 5, 1, 4, 5, 0};
  EXPECT_EQ(segc_model_update(model), invalid) << "before grad";
  EXPECT_EQ(error(), "there is no gradient since the last update: call grad() first, or step()");
  EXPECT_EQ(segc_model_loss(model, 0, value), invalid);
  EXPECT_EQ(error(), "there is no loss: call grad() or step() first");
  EXPECT_EQ(segc_model_grad(nullptr, batch, 2, nullptr, 0), invalid);
  EXPECT_EQ(segc_model_grad(model, nullptr, 2, nullptr, 0), invalid);
  EXPECT_EQ(segc_model_grad(model, batch, 2, &grad, 1), invalid);
  for (int wrong : {-1, 0, 1, 3, INT32_MAX}) {
    EXPECT_EQ(segc_model_grad(model, batch, wrong, nullptr, 0), invalid);
    EXPECT_EQ(segc_model_step(model, batch, wrong), invalid);
  }
  EXPECT_EQ(segc_model_update(nullptr), invalid);
  EXPECT_EQ(segc_model_step(nullptr, batch, 2), invalid);
  EXPECT_EQ(segc_model_set_accumulation(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_set_seed(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_set_loss_scale(nullptr, 1, 0), invalid);
  EXPECT_EQ(segc_model_set_loss_scale(model, 65536, 0), SEGC_MODEL_UNSUPPORTED); // no library of f16
  double scale = 0;
  int64_t good = 1;
  EXPECT_EQ(segc_model_loss_scale(model, &scale, nullptr), invalid);
  EXPECT_EQ(segc_model_loss_scale(model, &scale, &good), SEGC_MODEL_OK);
  EXPECT_EQ(scale, 1);
  EXPECT_EQ(good, 0);
  EXPECT_EQ(segc_model_set_check_finite(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_set_steps(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_set_steps(model, -1), invalid);
  for (double rate : {double(NAN), double(INFINITY), std::numeric_limits<double>::max()})
    EXPECT_EQ(segc_model_set_learning_rate(model, rate), invalid);
  EXPECT_EQ(segc_model_set_learning_rate(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_reshape_train(nullptr, shapes), invalid);
  EXPECT_EQ(segc_model_reshape_train(model, nullptr), invalid);
  EXPECT_EQ(segc_model_train_workspace_bytes(nullptr, shapes, 1, &count), invalid);
  EXPECT_EQ(segc_model_train_workspace_bytes(model, shapes, 1, nullptr), invalid);
  EXPECT_EQ(segc_model_train_workspace_bytes(model, shapes, 257, &count), invalid);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK) << error();
  for (int index : {-1, 4, 6, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(segc_model_loss(model, index, value), invalid);
    EXPECT_EQ(segc_model_gradient(model, index, &gradient), invalid);
    EXPECT_EQ(segc_model_get_weight(model, index, value), invalid);
    EXPECT_EQ(segc_model_set_weight(model, index, value), invalid);
    EXPECT_EQ(segc_model_flat(model, index == 4 ? 6 : index, &data, &count), invalid);
    EXPECT_EQ(segc_model_train_input_info(model, index, &info), invalid);
    EXPECT_EQ(segc_model_train_output_info(model, index, &info), invalid);
  }
  EXPECT_EQ(segc_model_loss(model, 0, nullptr), invalid);
  EXPECT_EQ(segc_model_gradient(model, 0, nullptr), invalid);
  EXPECT_EQ(segc_model_gradients_finite(model, nullptr), invalid);
  EXPECT_EQ(segc_model_get_weight(model, 0, nullptr), invalid);
  EXPECT_EQ(segc_model_set_weight(model, 0, nullptr), invalid);
  EXPECT_EQ(segc_model_flat(model, 0, nullptr, &count), invalid);
  EXPECT_EQ(segc_model_flat(model, 0, &data, nullptr), invalid);
  EXPECT_EQ(segc_model_train_input_info(nullptr, 0, &info), invalid);
  EXPECT_EQ(segc_model_train_input_info(model, 0, nullptr), invalid);
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  EXPECT_EQ(segc_model_update(model), invalid) << "the gradient is used up";
  int finite = 0;
  EXPECT_EQ(segc_model_gradients_finite(model, &finite), invalid);
  EXPECT_EQ(segc_model_gradients_finite(nullptr, &finite), invalid);
}

TEST_F(TrainingMisuse, TensorsAreCheckedAsForRun) {
  TinyOptions options;
  options.wrt = true;
  create(TinyModel(options));
  fill(1, 4, 5);
  EXPECT_EQ(step(), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(error(),
            "this model returns gradients of its inputs: call grad() with memory for them, then update()");
  segc_model_tensor bad[2] = {batch[0], batch[1]};
  bad[1].dtype = SEGC_MODEL_U8;
  EXPECT_EQ(segc_model_grad(model, bad, 2, &grad, 1), SEGC_MODEL_INVALID_TENSOR);
  EXPECT_EQ(error(), "input 'labels': type is U8, the model wants I32");
  grad.data = x.data();
  EXPECT_EQ(segc_model_grad(model, batch, 2, &grad, 1), SEGC_MODEL_INVALID_TENSOR);
  EXPECT_EQ(error(), "output 'grad.x' overlaps 'x': give it memory of its own");
}

TEST_F(TrainingMisuse, TheHandleIsBusyDuringAStep) {
  create(TinyModel());
  fill(1, 4, 5);
  static std::vector<int> inner;
  inner.clear();
  auto observer = [](void *user, int step, const char *, const char *, uint64_t) {
    if (step)
      return;
    auto *model = static_cast<segc_model_model *>(user);
    float value;
    inner = {segc_model_update(model), segc_model_loss(model, 0, &value), segc_model_set_steps(model, 3)};
  };
  ASSERT_EQ(segc_model_set_observer(model, observer, model), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(inner, std::vector<int>(3, SEGC_MODEL_BUSY));
}

TEST_F(TrainingMisuse, TablesThatLieAreRefused) {
  using rt::DType;
  using rt::Space;
  TinyOptions options;
  options.desc.clipNorm = 1;
  tiny = TinyModel(options);
  const auto &header = *reinterpret_cast<const rt::Header *>(tiny.trainTable.data());
  const auto *nodes = rt::elements<rt::SizeNode>(header, header.sizes);
  const auto constant = [&](int64_t value) {
    uint32_t i = 0;
    while (nodes[i].op != rt::SizeOp::Constant || nodes[i].value != value)
      if (++i == header.sizes.count)
        ADD_FAILURE() << value;
    return i;
  };
  const uint32_t zero = constant(0), one = constant(1), two = constant(2), three = constant(3),
                 seven = constant(7), sixteen = constant(16), all = constant(32), sums = constant(256),
                 padded = constant(64);
  // In the place of the first view that @prepare reads, or of the one behind, which it writes.
  const auto fits = [&](rt::ViewDesc view, int place = 0) {
    std::vector<uint64_t> table = tiny.trainTable;
    const auto &copy = *reinterpret_cast<const rt::Header *>(table.data());
    const_cast<rt::ViewDesc *>(rt::elements<rt::ViewDesc>(copy, copy.views))[place] = view;
    rt::Layout layout;
    const int status = layout.compute(copy, nullptr);
    layout.free();
    return status == SEGC_MODEL_OK;
  };
  const auto vector = [&](Space space, uint32_t index, uint32_t extent, DType type = DType::F32,
                          uint32_t first = UINT32_MAX) {
    return rt::ViewDesc{space, index, type, 1, {extent}, 0, first == UINT32_MAX ? zero : first,
                        zero,  1,     1,    0};
  };
  EXPECT_TRUE(fits(vector(Space::Dense, 3, seven, DType::F64)));
  EXPECT_FALSE(fits(vector(Space::Dense, 3, sixteen, DType::F64)));
  EXPECT_TRUE(fits(vector(Space::Dense, 3, padded, DType::F64))) << "kernels read whole vectors";
  EXPECT_FALSE(fits(vector(Space::Dense, 3, padded, DType::F64), 1)) << "but do not write them";
  EXPECT_FALSE(fits(vector(Space::Dense, 3, sums, DType::F64)));
  EXPECT_TRUE(fits(vector(Space::Weight, TinyModel::kRunning, padded)));
  EXPECT_FALSE(fits(vector(Space::Weight, TinyModel::kRunning, padded), 1));
  EXPECT_FALSE(fits(vector(Space::Weight, TinyModel::kRunning, sums)));
  EXPECT_FALSE(fits(vector(Space::Dense, 4, one)));
  EXPECT_TRUE(fits(vector(Space::Gradient, TinyModel::kB, sixteen)));
  EXPECT_FALSE(fits(vector(Space::Gradient, TinyModel::kB, all))) << "behind the gradients";
  EXPECT_FALSE(fits(vector(Space::Gradient, TinyModel::kGain, one))) << "has none";
  EXPECT_FALSE(fits(vector(Space::Gradient, TinyModel::kB, sixteen, DType::F64)));
  EXPECT_FALSE(fits(vector(Space::Gradient, 4, one)));
  EXPECT_TRUE(fits(vector(Space::Weight, TinyModel::kRunning, sixteen)));
  EXPECT_FALSE(fits(vector(Space::Weight, TinyModel::kRunning, all)));
  EXPECT_TRUE(fits(vector(Space::Loss, 0, three)));
  EXPECT_FALSE(fits(vector(Space::Loss, 0, seven)));
  EXPECT_TRUE(fits(vector(Space::Flat, 0, all, DType::F32, all)));
  EXPECT_FALSE(fits(vector(Space::Flat, 1, all, DType::F32, sixteen)));
  EXPECT_FALSE(fits(vector(Space::Flat, 6, one)));
  EXPECT_TRUE(fits(vector(Space::Hyper, 1, sixteen)));
  EXPECT_FALSE(fits(vector(Space::Hyper, 2, sixteen))) << "two segments";
  EXPECT_FALSE(fits(vector(Space::Hyper, 1, all)));
  EXPECT_TRUE(fits(vector(Space::Seed, 0, two, DType::I32)));
  EXPECT_FALSE(fits(vector(Space::Seed, 0, three, DType::I32)));
  EXPECT_TRUE(fits(vector(Space::Partial, 0, sums, DType::F64)));
  EXPECT_FALSE(fits(vector(Space(12), 0, one)));
  rt::Layout layout;
  const_cast<rt::WeightDesc *>(rt::elements<rt::WeightDesc>(header, header.weights))[TinyModel::kB].flags = 0;
  EXPECT_EQ(layout.compute(header, nullptr), SEGC_MODEL_KERNEL_FAILED) << "a gradient of what does not learn";
}

TEST_F(TrainingMisuse, TablesThatDoNotFitTogetherAreRefused) {
  const auto expectDamaged = [&](auto change, const char *text) {
    TinyModel tiny;
    change(*reinterpret_cast<rt::Header *>(tiny.trainTable.data()));
    tiny.install();
    const std::string block = tiny.weights.block();
    EXPECT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_KERNEL_FAILED);
    EXPECT_NE(error().find(text), std::string::npos) << error();
    EXPECT_EQ(model, nullptr);
  };
  const auto weights = [](rt::Header &header) {
    return const_cast<rt::WeightDesc *>(rt::elements<rt::WeightDesc>(header, header.weights));
  };
  expectDamaged([](rt::Header &header) { header.version = 1; },
                ("version " + std::to_string(rt::kTableVersion)).c_str());
  expectDamaged([](rt::Header &header) { header.training.count = 0; }, "where parameters lie");
  expectDamaged([&](rt::Header &header) { weights(header)[TinyModel::kGain].flat = 1u << 30; },
                "where parameters lie");
  expectDamaged([&](rt::Header &header) { weights(header)[TinyModel::kB].flat = 32; },
                "where parameters lie");
  TinyModel tiny; // inference asks for a weight that training does not have
  auto &header = *reinterpret_cast<rt::Header *>(tiny.inferTable.data());
  weights(header)[1].name = 0;
  tiny.install();
  const std::string block = tiny.weights.block();
  EXPECT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_KERNEL_FAILED);
  EXPECT_NE(error().find("weight '' is not trained"), std::string::npos) << error();
}

TEST_F(TrainingMisuse, MissingWeightsAreNamed) {
  TinyModel tiny;
  tiny.weights.entries.pop_back();
  tiny.install();
  const std::string block = tiny.weights.block();
  EXPECT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_INVALID_WEIGHTS);
  EXPECT_NE(error().find("'running': the model wants F32 [1], the file does not have it"), std::string::npos);
}

} // namespace
