/// \file Tests of evaluations: what is counted, and which files tell of it.
// SPDX-License-Identifier: MIT
#include "runtime/train/ColourBins.h"
#include "runtime/train/Evaluation.h"
#include "test/unit/train_support.h"

using namespace segc::train;
using namespace segc::test;

namespace {

class TrainEvaluation : public DataFolder {
protected:
  /// Pictures a, b, c of 4 x 2 pixels with the left half of class 1; `rest` goes into dataset.json.
  Dataset dataset(const std::string &rest = R"("classes": ["ground", "cell"], "ignore": 9)") {
    for (const char *name : {"a", "b", "c"}) {
      write(std::string("images/") + name + ".png", plain(4, 2, 3, 100));
      write(std::string("masks/") + name + ".png", gray(4, {1, 1, 0, 9, 1, 1, 0, 0}));
    }
    write("dataset.json", R"({"images": "images", "masks": "masks", )" + rest + "}");
    return std::get<Dataset>(Dataset::open(path("dataset.json")));
  }
  static const std::vector<Item> &items(const Dataset &dataset) { return *std::get<0>(dataset.items("all")); }
};

TEST_F(TrainEvaluation, CountsAndWrites) {
  const Dataset data = dataset();
  EvaluationOptions options;
  options.folder = path("out");
  options.masks = path("out/masks");
  options.sheetRows = 2;
  auto begun = Evaluation::begin(data, options);
  ASSERT_EQ(begun.index(), 0u) << why(begun);
  auto &evaluation = std::get<Evaluation>(begun);
  // The ignored pixel is predicted as class 1: it counts on neither side.
  const std::vector<std::vector<int32_t>> predictions = {
      {1, 1, 0, 1, 1, 1, 0, 0}, {0, 0, 0, 1, 0, 1, 1, 0}, {1, 1, 0, 1, 1, 0, 0, 0}};
  for (size_t i = 0; i < 3; ++i) {
    const Item &item = items(data)[i];
    const Example example = std::get<Example>(data.load(item));
    ASSERT_EQ(evaluation.add(item, example, labelsOf(4, predictions[i])), std::nullopt);
  }
  ASSERT_EQ(evaluation.finish(), std::nullopt);
  const Json json = std::get<Json>(readJson(path("out/evaluation.json")));
  EXPECT_EQ(json["confusion"].dump(), "[[8,1],[4,8]]");
  EXPECT_EQ(json["pixels"], 21);
  EXPECT_DOUBLE_EQ(json["classes"][1]["iou"], 8.0 / 13);
  EXPECT_EQ(json["pictures"][0]["name"], "a");
  EXPECT_DOUBLE_EQ(json["pictures"][1]["pixel_accuracy"], 3.0 / 7);
  EXPECT_TRUE(says(evaluation.text(), {"cell", "61.54", "pixel accuracy 76.19 %"}));

  segc::pictures::ReadOptions labels;
  labels.labels = true;
  const auto mask = std::get<Picture>(segc::pictures::readPicture(path("out/masks/b.png"), labels));
  EXPECT_EQ(mask.bytes, (std::vector<uint8_t>{0, 0, 0, 1, 0, 1, 1, 0}));
  EXPECT_TRUE(fs::exists(path("out/errors/c.png")));
  EXPECT_TRUE(fs::exists(path("out/confusion.png")));
  // Two rows of four cells: the worst pictures, b and c.
  const auto sheet = std::get<Picture>(segc::pictures::readPicture(path("out/sheet.png")));
  EXPECT_EQ(sheet.width, 4 * (4 + 6) + 6);
  EXPECT_EQ(sheet.height, 2 * (2 + 6 + 11) + 6);
  const uint8_t *corner = sheet.at(6 + 3 * 10, 6); // of b's errors: missed, 100 and (0, 200, 255) as 1 to 3
  EXPECT_EQ((Colour{corner[0], corner[1], corner[2]}), (Colour{25, 175, 216}));
}

TEST_F(TrainEvaluation, EqualNamesStayApart) {
  const Dataset data = dataset();
  EvaluationOptions options;
  options.masks = path("masks-out");
  auto begun = Evaluation::begin(data, options);
  auto &evaluation = std::get<Evaluation>(begun);
  const Example example = std::get<Example>(data.load(items(data)[0]));
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(evaluation.add(items(data)[0], example, Labels(4, 2, i)), std::nullopt);
  EXPECT_TRUE(fs::exists(path("masks-out/a.png")));
  EXPECT_TRUE(fs::exists(path("masks-out/a-2.png")));
}

TEST_F(TrainEvaluation, ColoursAreShown) {
  const Dataset data = dataset(R"("target": {"type": "colour_bins", "bins": 3, "step": 60})");
  const ColourBins bins(3, 60);
  EvaluationOptions options;
  options.folder = path("out");
  auto begun = Evaluation::begin(data, options);
  auto &evaluation = std::get<Evaluation>(begun);
  const Example example = std::get<Example>(data.load(items(data)[0]));
  ASSERT_EQ(evaluation.add(items(data)[0], example, Labels(4, 2, 1)), std::nullopt);
  const auto shown = std::get<Picture>(segc::pictures::readPicture(path("out/colours/a.png")));
  Planes light(1, 1, 1);
  light.values = {100 / 255.0f};
  const Picture wanted = bins.colour(light, Labels(1, 1, 1));
  EXPECT_EQ(shown.channels, 3);
  for (int c = 0; c < 3; ++c)
    EXPECT_EQ(shown.at(2, 1)[c], wanted.at(0, 0)[c]);
  EXPECT_FALSE(fs::exists(path("out/errors")));
}

TEST_F(TrainEvaluation, Refusals) {
  const Dataset data = dataset();
  auto begun = Evaluation::begin(data, {});
  auto &evaluation = std::get<Evaluation>(begun);
  const Example example = std::get<Example>(data.load(items(data)[0]));
  EXPECT_TRUE(says(evaluation.add(items(data)[0], example, Labels(4, 2, 2)).value_or(""),
                   {"images/a.png: pixel 0 has the prediction 2; classes are 0 to 1"}));
  write("file", std::string("x"));
  EvaluationOptions options;
  options.folder = path("file");
  EXPECT_TRUE(says(why(Evaluation::begin(data, options)), {"file/errors: the folder cannot be made"}));
}

} // namespace
