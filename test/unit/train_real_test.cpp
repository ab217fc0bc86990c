/// \file Tests on real data sets, where a checkout has them beside it; skipped elsewhere.
// SPDX-License-Identifier: MIT
#include "runtime/train/Loader.h"
#include "runtime/train/Statistics.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <stdexcept>

using namespace segc::train;
using namespace segc::test;

namespace {

class TrainReal : public DataFolder {
protected:
  void SetUp() override {
    if (!fs::is_directory(SEGC_SHARED_DATA))
      GTEST_SKIP() << "there is no " << SEGC_SHARED_DATA;
    DataFolder::SetUp();
  }
  static Dataset opened(const std::string &path) {
    Result<Dataset> result = Dataset::open(path);
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
  static Dataset shared(const std::string &name) {
    return opened(std::string(SEGC_SHARED_DATA) + "/" + name);
  }
  /// A description of ours for a folder there.
  Dataset described(const std::string &name, const std::string &fields) {
    write("dataset.json",
          "{\"root\": \"" + (fs::path(SEGC_SHARED_DATA) / name).string() + "\", " + fields + "}");
    return opened(folder.string());
  }
  static Statistics measured(const Dataset &data) {
    Result<Statistics> result = measure(data);
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
};

TEST_F(TrainReal, Nuclei) {
  const Statistics statistics = measured(shared("nuclei"));
  int64_t objects = 0;
  std::vector<int64_t> images;
  for (const SplitStatistics &split : statistics.splits) {
    objects += split.objects;
    images.push_back(split.images);
  }
  EXPECT_EQ(objects, 12529);
  EXPECT_EQ(images, (std::vector<int64_t>{268, 33, 33, 59}));
  EXPECT_TRUE(statistics.instances);
}

TEST_F(TrainReal, NucleiBoundariesWithWeights) {
  const Dataset data =
      described("nuclei", R"("images": "images", "masks": "instances", "encoding": "instances",
    "target": "boundary", "splits": {"val": "val.txt"}, "weights": {"border": {}}, "input": {"channels": 1})");
  LoaderOptions options;
  options.split = "val";
  options.batch = 33;
  options.channels = 1;
  options.height = options.width = 128;
  options.augmentation.elastic = {0, 8};
  options.augmentation.rotate = {-180, 180};
  auto loader = std::get<0>(Loader::create(data, options));
  Result<Batch> next = loader->next();
  ASSERT_EQ(next.index(), 0u) << why(next);
  const auto &batch = std::get<Batch>(next);
  EXPECT_EQ(batch.images.size(), size_t(33 * 128 * 128));
  EXPECT_EQ(*std::max_element(batch.masks.begin(), batch.masks.end()), 2);
  const auto [least, most] = std::minmax_element(batch.weights.begin(), batch.weights.end());
  EXPECT_GE(*least, 0.999f);
  EXPECT_GT(*most, 3);
  EXPECT_LE(*most, 11.001f);
}

TEST_F(TrainReal, Membrane) {
  const Dataset data = described("membrane", R"("images": "train/image", "masks": "train/label",
    "classes": [{"name": "membrane", "values": 0}, {"name": "cell", "values": 255}],
    "splits": {"train": "train.txt", "val": "val.txt"}, "weights": {"border": {"objects": "cell"}})");
  const Statistics statistics = measured(data);
  const int64_t membrane = statistics.splits[0].classes[0].pixels + statistics.splits[1].classes[0].pixels;
  EXPECT_NEAR(double(membrane) / (30 * 512 * 512), 0.2196, 0.00005);
  const auto example = std::get<0>(data.load(data.splits()[0].items[0]));
  EXPECT_GT(*std::max_element(example.weights.values.begin(), example.weights.values.end()), 8);
}

TEST_F(TrainReal, Camvid) {
  const Statistics statistics = measured(shared("camvid"));
  const SplitStatistics &train = statistics.splits[0];
  EXPECT_EQ(train.images, 120);
  const double shares[] = {16.9, 23.0, 1.0, 31.8, 4.4, 9.8, 1.1, 1.2, 5.8, 0.7, 0.3};
  for (size_t c = 0; c < 11; ++c)
    EXPECT_NEAR(100.0 * double(train.classes[c].pixels) / (120 * 480 * 360), shares[c], 0.06) << c;
  EXPECT_NEAR(100.0 * double(train.ignoredPixels) / (120 * 480 * 360), 4.0, 0.06);
}

TEST_F(TrainReal, Voc) {
  const Statistics statistics = measured(shared("voc_sample"));
  ASSERT_EQ(statistics.classNames.size(), 21u);
  EXPECT_EQ(statistics.splits[0].objectImages, 3);
  EXPECT_EQ(statistics.splits[0].classes[15].images, 3); // persons
  EXPECT_GT(statistics.splits[0].ignoredPixels, 0);
}

} // namespace
