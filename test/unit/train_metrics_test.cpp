/// \file Tests of scores against matrices made by hand and against scikit-learn, and of the pictures of them.
// SPDX-License-Identifier: MIT
#include "runtime/train/Figures.h"
#include "runtime/train/Metrics.h"
#include "test/unit/train_support.h"

using namespace segc::train;
using namespace segc::test;

namespace {

ConfusionMatrix matrixOf(const std::vector<std::vector<int64_t>> &rows) {
  ConfusionMatrix matrix(int64_t(rows.size()));
  for (size_t truth = 0; truth < rows.size(); ++truth)
    for (size_t prediction = 0; prediction < rows.size(); ++prediction)
      matrix.add(int64_t(truth), int64_t(prediction), rows[truth][prediction]);
  return matrix;
}

TEST(TrainMetrics, ByHand) {
  // Class 2 is nowhere, class 3 is only predicted.
  const ConfusionMatrix matrix = matrixOf({{6, 2, 0, 0}, {1, 3, 0, 4}, {0, 0, 0, 0}, {0, 0, 0, 0}});
  const Scores scores = score(matrix);
  EXPECT_DOUBLE_EQ(*scores.classes[0].jaccard, 6.0 / 9);
  EXPECT_DOUBLE_EQ(*scores.classes[1].jaccard, 3.0 / 10);
  EXPECT_FALSE(scores.classes[2].jaccard);
  EXPECT_DOUBLE_EQ(*scores.classes[3].jaccard, 0);
  EXPECT_DOUBLE_EQ(*scores.classes[0].dice, 12.0 / 15);
  EXPECT_DOUBLE_EQ(*scores.classes[1].recall, 3.0 / 8);
  EXPECT_DOUBLE_EQ(*scores.classes[1].precision, 3.0 / 5);
  EXPECT_FALSE(scores.classes[3].recall);
  EXPECT_FALSE(scores.classes[2].precision);
  EXPECT_DOUBLE_EQ(*scores.pixelAccuracy, 9.0 / 16);
  EXPECT_DOUBLE_EQ(*scores.meanJaccard, (6.0 / 9 + 0.3 + 0) / 3);
  EXPECT_DOUBLE_EQ(*scores.meanDice, (0.8 + 6.0 / 13 + 0) / 3);
  EXPECT_DOUBLE_EQ(*scores.meanRecall, (0.75 + 0.375) / 2);
}

TEST(TrainMetrics, NothingAtAll) {
  const Scores scores = score(ConfusionMatrix(2));
  EXPECT_FALSE(scores.pixelAccuracy);
  EXPECT_FALSE(scores.meanJaccard);
  EXPECT_TRUE(says(scoreText(ConfusionMatrix(2), {"a", "b"}), {"pixel accuracy - %, mIoU - %"}));
  EXPECT_TRUE(scoreJson(ConfusionMatrix(2), {})["miou"].is_null());
}

/// Numbers by scikit-learn 1.x: jaccard_score, f1_score, recall_score, precision_score, accuracy_score.
TEST(TrainMetrics, AgreesWithScikitLearn) {
  std::vector<int32_t> truth, prediction;
  for (int32_t i = 0; i < 1000; ++i) {
    const int32_t label = (i * 7 + i / 10) % 4;
    truth.push_back(i % 17 == 0 ? 255 : label);
    prediction.push_back((i * 13) % 10 < 7 ? label : (i * 11 + i / 7) % 5);
  }
  ConfusionMatrix matrix(6);
  ASSERT_EQ(matrix.add(truth.data(), prediction.data(), 600, 255), std::nullopt);
  ConfusionMatrix rest(6);
  ASSERT_EQ(rest.add(truth.data() + 600, prediction.data() + 600, 400, 255), std::nullopt);
  matrix.add(rest);
  EXPECT_EQ(matrix.total(), 941);
  const Scores scores = score(matrix);
  const double jaccard[] = {0.6692015209125475, 0.6185567010309279, 0.6532846715328468, 0.6472727272727272,
                            0},
               f1[] = {0.8018223234624146, 0.7643312101910829, 0.7902869757174393, 0.7858719646799117, 0},
               precision[] = {0.8585365853658536, 0.7659574468085106, 0.8248847926267281, 0.8165137614678899,
                              0};
  for (size_t c = 0; c < 5; ++c) {
    EXPECT_NEAR(*scores.classes[c].jaccard, jaccard[c], 1e-15);
    EXPECT_NEAR(*scores.classes[c].dice, f1[c], 1e-15);
    EXPECT_NEAR(*scores.classes[c].precision, precision[c], 1e-15);
  }
  EXPECT_NEAR(*scores.classes[2].recall, 0.7584745762711864, 1e-15);
  EXPECT_NEAR(*scores.pixelAccuracy, 0.7577045696068013, 1e-15);
  EXPECT_NEAR(*scores.meanJaccard, 0.5176631241498099, 1e-15);
  EXPECT_NEAR(*scores.meanDice, 0.6284624948101697, 1e-15);
  EXPECT_FALSE(scores.classes[5].jaccard);
}

TEST(TrainMetrics, IgnoredPixelsCountOnNeitherSide) {
  ConfusionMatrix matrix(2);
  const int32_t truth[] = {0, 255, 1, 255}, prediction[] = {0, 1, 1, 99};
  EXPECT_EQ(matrix.add(truth, prediction, 4, 255), std::nullopt);
  EXPECT_EQ(matrix.ofPrediction(1), 1);
  EXPECT_EQ(matrix.total(), 2);
  EXPECT_EQ(*score(matrix).meanJaccard, 1);

  // The ignored label may be one of the classes.
  ConfusionMatrix background(2);
  const int32_t some[] = {0, 1, 1, 0}, all[] = {1, 1, 0, 0};
  EXPECT_EQ(background.add(some, all, 4, 0), std::nullopt);
  EXPECT_EQ(background.ofTruth(0), 0);
  EXPECT_EQ(background.ofTruth(1), 2);

  const int32_t wrong[] = {0, 2, 0, 0}, good[] = {0, 0, 0, 0}, low[] = {0, 0, -3, 0};
  EXPECT_TRUE(says(*matrix.add(wrong, good, 4, 255),
                   {"pixel 1 has the label 2; classes are 0 to 1, ignored is 255"}));
  EXPECT_TRUE(says(*matrix.add(good, low, 4, 255), {"pixel 2 has the prediction -3"}));
  EXPECT_EQ(matrix.total(), 2) << "a refused picture counts nothing";
}

TEST(TrainMetrics, CountsDoNotOverflow) {
  ConfusionMatrix matrix(2);
  matrix.add(0, 0, int64_t(3) << 40);
  matrix.add(1, 0, int64_t(1) << 40);
  EXPECT_DOUBLE_EQ(*score(matrix).pixelAccuracy, 0.75);
}

TEST(TrainMetrics, TextAndJson) {
  const ConfusionMatrix matrix = matrixOf({{6, 2, 0}, {1, 3, 0}, {0, 0, 0}});
  EXPECT_EQ(scoreText(matrix, {"sky", "road", "car"}), "class  IoU %  Dice %  recall %  precision %  pixels\n"
                                                       "-----  -----  ------  --------  -----------  ------\n"
                                                       "sky    66.67   80.00     75.00        85.71       8\n"
                                                       "road   50.00   66.67     75.00        60.00       4\n"
                                                       "car        -       -         -            -       0\n"
                                                       "mean   58.33   73.33     75.00                   12\n"
                                                       "pixel accuracy 75.00 %, mIoU 58.33 %\n");
  const Json json = scoreJson(matrix, {"sky", "road"});
  EXPECT_EQ(json["confusion"].dump(), "[[6,2,0],[1,3,0],[0,0,0]]");
  EXPECT_TRUE(json["classes"][2]["iou"].is_null());
  EXPECT_EQ(json["classes"][2]["name"], "2");
  EXPECT_EQ(json["pixel_accuracy"], 0.75);
}

TEST(TrainFigures, HeatMapIsDarkWhereTheCountsAre) {
  const ConfusionMatrix matrix = matrixOf({{0, 9}, {1, 1}});
  const auto result = heatMap(matrix, {"sky", "road"});
  ASSERT_EQ(result.index(), 0u);
  const auto &picture = std::get<Picture>(result);
  // The cells' upper left corners, from the right and bottom edges: cells of 34 pixels and a margin of 8.
  auto light = [&](int64_t truth, int64_t prediction) {
    return int(picture.at(picture.width - 8 - 34 * (2 - prediction) + 2,
                          picture.height - 8 - 34 * (2 - truth) + 2)[0]);
  };
  EXPECT_EQ(light(0, 1), 8);
  EXPECT_EQ(light(0, 0), 247);
  EXPECT_GT(light(1, 0), 8);
  EXPECT_LT(light(1, 0), 247);
  EXPECT_EQ(light(1, 0), light(1, 1));
  EXPECT_TRUE(says(why(heatMap(ConfusionMatrix(65), {})), {"shows up to 64 classes, not 65"}));
}

TEST(TrainFigures, OverlaysMarkErrors) {
  const Picture picture = plain(5, 1, 3, 90);
  const Labels truth = labelsOf(5, {0, 0, 1, 1, ignored}), prediction = labelsOf(5, {0, 1, 0, 2, 0});
  const Picture errors = errorOverlay(picture, truth, prediction);
  auto colour = [](const Picture &from, int64_t x) {
    return Colour{from.at(x, 0)[0], from.at(x, 0)[1], from.at(x, 0)[2]};
  };
  auto blended = [](Colour with) {
    for (uint8_t &c : with)
      c = uint8_t(90 + 0.75 * (c - 90) + 0.5);
    return with;
  };
  EXPECT_EQ(colour(errors, 0), (Colour{90, 90, 90}));
  EXPECT_EQ(colour(errors, 1), blended(falseAlarm));
  EXPECT_EQ(colour(errors, 2), blended(missed));
  EXPECT_EQ(colour(errors, 3), blended(mistaken));
  EXPECT_EQ(colour(errors, 4), (Colour{30, 30, 30}));

  const std::vector<ClassInfo> classes = {{"a", {10, 0, 0}, {}, {}}, {"b", {0, 200, 0}, {}, {}}};
  const Picture shown = labelPicture(truth, classes);
  EXPECT_EQ(colour(shown, 0), (Colour{10, 0, 0}));
  EXPECT_EQ(colour(shown, 2), (Colour{0, 200, 0}));
  EXPECT_EQ(colour(shown, 4), (Colour{0, 0, 0}));
  EXPECT_EQ(colour(labelOverlay(picture, truth, classes), 2), (Colour{45, 145, 45}));
  Planes plane(1, 1, 2);
  plane.values = {1, 9};
  EXPECT_EQ(planePicture(plane, 2).bytes, (std::vector<uint8_t>{128, 255}));
}

} // namespace
