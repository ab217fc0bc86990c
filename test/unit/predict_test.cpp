/// \file Tests of prediction on pictures of any size, with networks that are written here as C functions.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Predict.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <cstring>

using namespace segc;
using segc::pictures::Planes;

namespace {

/// What the fake network is, and what was asked of it.
struct Fake {
  int64_t multiple = 1;      ///< of legal extents
  int64_t margin = 0;        ///< that the output lacks at each side (valid padding)
  int64_t shrink = 1;        ///< the output is smaller by that
  int64_t outputs = 2;       ///< channels of logits; 0: a class map
  float left = 0, right = 0; ///< added to the last logit in the left and right half
  int64_t height = 0, width = 0;
  int runs = 0;
} fake;

int64_t outputExtent(int64_t extent) { return (extent - 2 * fake.margin) / fake.shrink; }

int reshape(segc_model_model *, const int64_t *shape) {
  if (shape[2] % fake.multiple || shape[3] % fake.multiple || outputExtent(std::min(shape[2], shape[3])) < 1)
    return SEGC_MODEL_INVALID_SHAPE;
  fake.height = shape[2];
  fake.width = shape[3];
  return SEGC_MODEL_OK;
}
int inputInfo(const segc_model_model *, int, segc_model_info *info) {
  *info = {"image", SEGC_MODEL_F32, 4, {1, 1, fake.height, fake.width}};
  return SEGC_MODEL_OK;
}
int outputInfo(const segc_model_model *, int, segc_model_info *info) {
  const int64_t h = outputExtent(fake.height), w = outputExtent(fake.width);
  *info = fake.outputs ? segc_model_info{"logits", SEGC_MODEL_F32, 4, {1, fake.outputs, h, w}}
                       : segc_model_info{"classes", SEGC_MODEL_I32, 3, {1, h, w, 0}};
  return SEGC_MODEL_OK;
}
int one(const segc_model_model *) { return 1; }
const char *lastError() { return "sizes are multiples"; }
void denseNchw(segc_model_tensor *) {}

/// The last logit is the input's value less 0.5, times 8; the others are 0. A class map has class 2 where the
/// value is above 0.5.
int run(segc_model_model *, const segc_model_tensor *in, int, const segc_model_tensor *out, int) {
  ++fake.runs;
  const int64_t h = outputExtent(fake.height), w = outputExtent(fake.width);
  const auto *input = static_cast<const float *>(in->data);
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x) {
      const float value = input[(y * fake.shrink + fake.margin) * fake.width + x * fake.shrink + fake.margin];
      const float logit = 8 * (value - 0.5f) + (2 * x < w ? fake.left : fake.right);
      if (fake.outputs == 0)
        static_cast<int32_t *>(out->data)[y * w + x] = value > 0.5f ? 2 : 0;
      for (int64_t c = 0; c < fake.outputs; ++c)
        static_cast<float *>(out->data)[(c * h + y) * w + x] = c + 1 == fake.outputs ? logit : 0;
    }
  return SEGC_MODEL_OK;
}

class Predict : public testing::Test {
protected:
  void SetUp() override {
    fake = Fake();
    library.reshape = reshape;
    library.inputInfo = inputInfo;
    library.outputInfo = outputInfo;
    library.numInputs = one;
    library.numOutputs = one;
    library.lastError = lastError;
    library.denseNchw = denseNchw;
    library.run = run;
  }
  /// Zeros and ones in no order.
  static Planes image(int64_t height, int64_t width) {
    Planes planes(1, height, width);
    for (size_t i = 0; i < planes.values.size(); ++i)
      planes.values[i] = (i * 2654435761u >> 7) % 3 == 0 ? 1 : 0;
    return planes;
  }
  /// The pixels' classes if the network is right everywhere.
  static std::vector<int32_t> truth(const Planes &planes, int32_t label = 1) {
    std::vector<int32_t> labels;
    for (float value : planes.values)
      labels.push_back(value > 0.5f ? label : 0);
    return labels;
  }
  std::vector<int32_t> predict(const Planes &planes, const Views &views = {}, int64_t classes = 2) {
    train::Labels labels;
    why = predictClasses(instance, planes, views, classes, labels).value_or("");
    EXPECT_EQ(labels.width, why.empty() ? planes.width : 0);
    return labels.values;
  }
  Library library;
  Instance instance{library};
  std::string why;
};

TEST_F(Predict, EverySizeComesBackInPlace) {
  fake.multiple = 8;
  for (int64_t height : {1, 7, 8, 13, 33})
    for (int64_t width : {5, 16, 21})
      EXPECT_EQ(predict(image(height, width)), truth(image(height, width))) << height << " x " << width;
  EXPECT_EQ(fake.height % 8, 0);
  fake.margin = 4; // as a network without padding
  for (int64_t extent : {1, 9, 16, 30})
    EXPECT_EQ(predict(image(extent, extent)), truth(image(extent, extent))) << extent;
  fake.margin = 200; // more than the search reaches: known from the network's own shape
  fake.height = fake.width = 480;
  EXPECT_EQ(predict(image(5, 6)), truth(image(5, 6)));
  fake.margin = 0;
  fake.multiple = 1000;
  predict(image(20, 20));
  EXPECT_TRUE(test::says(why, {"no size within 64 pixels of 20 x 20", "sizes are multiples"}));
}

TEST_F(Predict, SmallMapsAreEnlarged) {
  fake.shrink = fake.multiple = 4;
  Planes planes(1, 8, 16);
  for (int64_t y = 0; y < 8; ++y)
    for (int64_t x = 8; x < 16; ++x)
      planes.row(0, y)[x] = 1;
  EXPECT_EQ(predict(planes), truth(planes)) << "between equal neighbours the edge lies in the middle";
  fake.outputs = 0;
  EXPECT_EQ(predict(planes), truth(planes, 2));
}

TEST_F(Predict, OneChannelAndClassMaps) {
  fake.outputs = 1;
  EXPECT_EQ(predict(image(6, 6)), truth(image(6, 6)));
  EXPECT_EQ(classesToldApart(instance), 2);
  Views views;
  views.flipHorizontal = true;
  EXPECT_EQ(predict(image(6, 6), views), truth(image(6, 6)));
  fake.outputs = 0;
  EXPECT_EQ(predict(image(6, 6)), truth(image(6, 6), 2));
  EXPECT_EQ(predict(image(6, 6), views, 3), truth(image(6, 6), 2));
  EXPECT_EQ(classesToldApart(instance), 0);
  predict(image(6, 6), views, 2);
  EXPECT_TRUE(test::says(why, {"the network says class 2, there are 2"}));
  fake.outputs = 3;
  predict(image(6, 6), views, 2);
  EXPECT_TRUE(test::says(why, {"tells 3 classes apart, not 2"}));
}

TEST_F(Predict, ProbabilitiesAreSoftmaxAndSigmoid) {
  PixelOutput output;
  output.values = Planes(3, 1, 1);
  output.values.values = {1, 3, 200};
  auto three = std::get<Planes>(probabilitiesOf(output, 3));
  EXPECT_FLOAT_EQ(three.values[2], 1);
  output.values.values = {0.5f, -0.5f, 1};
  three = std::get<Planes>(probabilitiesOf(output, 3));
  EXPECT_FLOAT_EQ(three.values[0], 0.33149892f); // exp(0.5) / (exp(0.5) + exp(-0.5) + exp(1))
  output.values = Planes(1, 1, 1);
  output.values.values = {2};
  const auto two = std::get<Planes>(probabilitiesOf(output, 2));
  EXPECT_FLOAT_EQ(two.values[1], 0.88079708f); // 1 / (1 + exp(-2))
}

TEST_F(Predict, ViewsAreAveragedInPlace) {
  const Planes planes = image(9, 14);
  Views views;
  views.flipHorizontal = views.flipVertical = true;
  EXPECT_EQ(predict(planes, views), truth(planes));
  EXPECT_EQ(fake.runs, 4);

  // sigmoid(5) and sigmoid(-3) average to more than a half, whichever comes first; alone each side differs.
  const Planes gray(1, 4, 8);
  fake.left = 4 + 5;
  fake.right = 4 - 3;
  const std::vector<int32_t> alone = predict(gray);
  EXPECT_EQ(alone[0], 1);
  EXPECT_EQ(alone[7], 0);
  views.flipVertical = false;
  EXPECT_EQ(predict(gray, views), std::vector<int32_t>(32, 1));
  fake.left = fake.right = 0;

  // A step stays where it is at every scale.
  Planes step(1, 8, 12);
  for (int64_t y = 0; y < 8; ++y)
    std::fill(step.row(0, y) + 6, step.row(0, y) + 12, 1.0f);
  views.scales = {0.5, 1, 1.5};
  fake.runs = 0;
  EXPECT_EQ(predict(step, views), truth(step));
  EXPECT_EQ(fake.runs, 6);
}

TEST_F(Predict, TilesCoverThePicture) {
  Views views;
  views.tileHeight = views.tileWidth = 8;
  for (int64_t overlap : {0, 3, 7})
    for (int64_t extent : {5, 8, 9, 21}) {
      views.overlap = overlap;
      EXPECT_EQ(predict(image(extent, 10), views), truth(image(extent, 10))) << extent << ", " << overlap;
      EXPECT_LE(fake.height, 8);
    }
  views.overlap = 2;
  fake.runs = 0;
  predict(image(20, 8), views); // rows from 0, 6 and 12
  EXPECT_EQ(fake.runs, 3);
}

TEST_F(Predict, ViewsAreRead) {
  Views views;
  EXPECT_EQ(readViews("flips,scales=0.75/1/1.25", views), std::nullopt);
  EXPECT_TRUE(views.flipHorizontal);
  EXPECT_FALSE(views.flipVertical);
  EXPECT_EQ(views.scales, (std::vector<double>{0.75, 1, 1.25}));
  EXPECT_FALSE(views.single());
  EXPECT_EQ(readViews("flips=v", views), std::nullopt);
  EXPECT_FALSE(views.flipHorizontal);
  EXPECT_TRUE(test::says(*readViews("flip", views), {"-tta 'flip' is unknown"}));
  EXPECT_TRUE(test::says(*readViews("flips=x", views), {"'x' must be h, v or hv"}));
  for (const char *wrong : {"scales=", "scales=1/", "scales=0", "scales=nan", "scales=1e9"})
    EXPECT_TRUE(test::says(readViews(wrong, views).value_or(""), {"must be a number from 0.1 to 10"}));
}

} // namespace
