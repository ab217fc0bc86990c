/// \file Tests of the loader: order, resuming, threads, padding, normalisation.
// SPDX-License-Identifier: MIT
#include "runtime/train/Loader.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

using namespace segc::train;
using namespace segc::test;

namespace {

/// Seven gray pictures of 9 x 7 pixels, all different; masks of 0, 1 and ignored pixels.
class TrainLoader : public DataFolder {
protected:
  static constexpr int count = 7;
  void SetUp() override {
    DataFolder::SetUp();
    Random random(1, 0, 0);
    for (int i = 0; i < count; ++i) {
      Picture image(9, 7, 1), mask(9, 7, 1);
      for (size_t p = 0; p < image.bytes.size(); ++p) {
        image.bytes[p] = uint8_t(random.below(256));
        mask.bytes[p] = std::vector<uint8_t>{0, 1, 9}[size_t(random.below(3))];
      }
      image.bytes[0] = uint8_t(10 * i);
      write("images/p" + std::to_string(i) + ".png", image);
      write("masks/p" + std::to_string(i) + ".png", mask);
    }
    describe("");
  }
  void describe(const std::string &more) {
    write("dataset.json", R"({"images": "images", "masks": "masks", "classes": ["a", "b"], "ignore": 9,
                              "splits": {"train": 1.0})" +
                              more + "}");
    Result<Dataset> result = Dataset::open(folder.string());
    if (result.index())
      throw std::runtime_error(why(result));
    data = std::get<0>(std::move(result));
  }
  std::unique_ptr<Loader> loader(const LoaderOptions &options, Position start = {}) {
    auto result = Loader::create(data, options, start);
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
  static Batch batch(Loader &from) {
    Result<Batch> result = from.next();
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
  LoaderOptions training() const {
    LoaderOptions options;
    options.batch = 3;
    options.channels = 1;
    options.height = 5;
    options.width = 6;
    options.seed = 11;
    options.augmentation.flipHorizontal = 0.5;
    options.augmentation.noise = {0, 0.2};
    options.augmentation.elastic = {0, 2};
    return options;
  }
  Dataset data;
};

TEST_F(TrainLoader, EpochsAreOrdersOfAllPictures) {
  LoaderOptions options = training();
  options.batch = 4; // batches reach into the next epoch
  auto from = loader(options);
  EXPECT_EQ(from->samplesPerEpoch(), count);
  std::vector<int64_t> stream;
  while (stream.size() < 4 * count) {
    const Batch next = batch(*from);
    ASSERT_EQ(next.n, 4);
    stream.insert(stream.end(), next.items.begin(), next.items.end());
    EXPECT_EQ(from->position().epoch, int64_t(stream.size()) / count);
    EXPECT_EQ(from->position().index, int64_t(stream.size()) % count);
  }
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 4; ++epoch) {
    const std::vector<int64_t> order(stream.begin() + epoch * count, stream.begin() + (epoch + 1) * count);
    orders.insert(order);
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), size_t(count));
  }
  EXPECT_EQ(orders.size(), 4u);
  options.seed = 12;
  from = loader(options);
  EXPECT_NE(batch(*from).items, std::vector<int64_t>(stream.begin(), stream.begin() + 4));
}

TEST_F(TrainLoader, ThreadsDoNotMatter) {
  describe(R"(, "weights": {"classes": [1, 3]})");
  LoaderOptions one = training(), many = training();
  one.threads = 1;
  many.threads = 7;
  many.cacheBytes = 0;
  auto a = loader(one), b = loader(many);
  for (int i = 0; i < 12; ++i) {
    const Batch x = batch(*a), y = batch(*b);
    ASSERT_EQ(x.images, y.images);
    ASSERT_EQ(x.masks, y.masks);
    ASSERT_EQ(x.weights, y.weights);
    ASSERT_EQ(x.weights.size(), size_t(3 * 5 * 6));
    ASSERT_EQ(x.names, y.names);
  }
}

TEST_F(TrainLoader, ResumesWhereItStood) {
  auto whole = loader(training());
  for (int skipped : {0, 1, 2, 5}) {
    auto first = loader(training());
    for (int i = 0; i < skipped; ++i)
      batch(*first);
    auto second = loader(training(), first->position());
    for (int i = 0; i < 4; ++i) {
      const Batch x = batch(*first), y = batch(*second);
      ASSERT_EQ(x.items, y.items) << skipped;
      ASSERT_EQ(x.images, y.images);
      ASSERT_EQ(x.masks, y.masks);
    }
  }
}

TEST_F(TrainLoader, SamplesChangeFromEpochToEpoch) {
  LoaderOptions options = training();
  options.batch = count;
  auto from = loader(options);
  const Batch first = batch(*from), second = batch(*from);
  const size_t size = 5 * 6;
  for (int64_t i = 0; i < count; ++i) {
    const auto at =
        std::find(second.items.begin(), second.items.end(), first.items[size_t(i)]) - second.items.begin();
    const std::vector<float> was(first.images.begin() + ptrdiff_t(size) * i,
                                 first.images.begin() + ptrdiff_t(size) * (i + 1));
    const std::vector<float> is(second.images.begin() + ptrdiff_t(size) * at,
                                second.images.begin() + ptrdiff_t(size) * (at + 1));
    EXPECT_NE(was, is);
  }
}

TEST_F(TrainLoader, EvaluationIsOnePassInOrder) {
  LoaderOptions options;
  options.batch = 3;
  options.channels = 3;
  options.training = false;
  options.multiple = 4;
  options.ignore = 77;
  auto from = loader(options);
  std::vector<int64_t> sizes, items;
  for (;;) {
    const Batch next = batch(*from);
    if (next.n == 0)
      break;
    sizes.push_back(next.n);
    items.insert(items.end(), next.items.begin(), next.items.end());
    EXPECT_EQ(next.height, 8);
    EXPECT_EQ(next.width, 12);
    EXPECT_EQ(next.margins.top, 0);
    EXPECT_EQ(next.margins.left, 1);
    for (int64_t n = 0; n < next.n; ++n)
      for (int64_t y = 0; y < 8; ++y)
        for (int64_t x = 0; x < 12; ++x) {
          const bool inside = y < 7 && x >= 1 && x < 10;
          const int32_t label = next.masks[size_t((n * 8 + y) * 12 + x)];
          ASSERT_TRUE(inside ? label == 0 || label == 1 || label == 77 : label == 77);
        }
    // Mirrored, not black; and the same in all three channels of a gray picture.
    const float *image = next.images.data();
    EXPECT_EQ(image[0], image[2]);
    EXPECT_EQ(image[7 * 12 + 3], image[5 * 12 + 3]);
    EXPECT_EQ(image[1], image[8 * 12 + 1]);
  }
  EXPECT_EQ(sizes, (std::vector<int64_t>{3, 3, 1}));
  EXPECT_EQ(items, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batch(*from).n, 0);
}

TEST_F(TrainLoader, SizesMayChangeInEvaluationOnly) {
  write("images/p9.png", plain(4, 4, 1, 0));
  write("masks/p9.png", plain(4, 4, 1, 0));
  write("list.txt", "p0\np9\np1\n");
  write("dataset.json", R"({"images": "images", "masks": "masks", "classes": ["a", "b"], "ignore": 9,
                            "splits": {"train": "list.txt"}})");
  data = std::get<0>(Dataset::open(folder.string()));
  LoaderOptions options;
  options.batch = 3;
  options.channels = 1;
  options.training = false;
  auto from = loader(options);
  EXPECT_EQ(batch(*from).n, 1);
  EXPECT_EQ(batch(*from).width, 4);
  EXPECT_EQ(batch(*from).names[0], "p1");
  EXPECT_EQ(batch(*from).n, 0);
  // Padded to one size they still differ in their margins.
  write("images/p9.png", plain(10, 8, 1, 0));
  write("masks/p9.png", plain(10, 8, 1, 0));
  options.multiple = 8;
  from = loader(options);
  EXPECT_EQ(batch(*from).n, 1);
  EXPECT_EQ(batch(*from).n, 1);
  options.multiple = 1;
  options.training = true;
  from = loader(options);
  EXPECT_TRUE(says(why(from->next()), {"pixels, ", "in the same batch has", "give the size of the crops"}));
}

TEST_F(TrainLoader, Normalisation) {
  Picture image(1, 1, 3);
  image.bytes = {51, 102, 255};
  write("images/p0.png", image);
  write("masks/p0.png", plain(1, 1, 1, 0));
  write("list.txt", "p0\n");
  auto values = [&](const std::string &input, int channels) {
    write("dataset.json",
          R"({"images": "images", "masks": "masks", "classes": ["a"], "splits": {"train": "list.txt"},
                              "input": )" +
              input + "}");
    data = std::get<0>(Dataset::open(folder.string()));
    LoaderOptions options;
    options.training = false;
    options.channels = channels;
    auto from = loader(options);
    return batch(*from).images;
  };
  auto near = [](const std::vector<float> &is, const std::vector<double> &wanted) {
    if (is.size() != wanted.size())
      return false;
    for (size_t i = 0; i < is.size(); ++i)
      if (std::abs(is[i] - wanted[i]) > 1e-4)
        return false;
    return true;
  };
  EXPECT_TRUE(near(values("{}", 3), {0.2, 0.4, 1}));
  EXPECT_TRUE(near(values(R"({"range": 255, "mean": [100, 110, 120], "order": "bgr"})", 3), {155, -8, -69}));
  EXPECT_TRUE(near(values(R"({"mean": 0.5, "std": [0.5, 0.1, 2]})", 3), {-0.6, -1, 0.25}));
  EXPECT_TRUE(near(values(R"({"channels": 1})", 1), {0.299 * 0.2 + 0.587 * 0.4 + 0.114}));
  EXPECT_TRUE(near(values(R"({"white": 102})", 3), {0.5, 1, 1})) << "brighter than white is white";
}

TEST_F(TrainLoader, WrongUseIsRefused) {
  auto refusal = [&](const LoaderOptions &options, Position start = {}) {
    return why(Loader::create(data, options, start));
  };
  LoaderOptions options = training();
  options.split = "trian";
  EXPECT_TRUE(says(refusal(options), {"there is no split 'trian'", "did you mean 'train'?"}));
  options = training();
  options.threads = 0;
  EXPECT_TRUE(says(refusal(options), {"1 to 256 threads"}));
  options = training();
  options.channels = 4;
  EXPECT_TRUE(says(refusal(options), {"1 or 3 channels, the network wants 4"}));
  EXPECT_TRUE(says(refusal(training(), {0, count}), {"has 7 pictures", "was it another data set?"}));
  describe(R"(, "input": {"channels": 3})");
  EXPECT_TRUE(says(refusal(training()), {"'input' says 3 channels, the network has 1"}));
  describe(R"(, "input": {"mean": [1, 2, 3]})");
  EXPECT_TRUE(says(refusal(training()), {"'mean' and 'std' have 3 numbers for 1 channels"}));
}

/// The error comes where the picture's turn is, again and again, and the loader can be given up at any time.
TEST_F(TrainLoader, BrokenPicturesStopTheStream) {
  write("masks/p4.png", Bytes{'x'});
  LoaderOptions options;
  options.channels = 1;
  options.batch = 2;
  options.training = false;
  options.threads = 3;
  auto from = loader(options);
  // Shares mix the list, so look where p4 stands.
  const std::vector<Item> &items = *std::get<0>(data.items("train"));
  const auto stands =
      std::find_if(items.begin(), items.end(), [](const Item &item) { return item.name == "p4"; }) -
      items.begin();
  for (int i = 0; i < stands / 2; ++i)
    EXPECT_EQ(batch(*from).n, 2);
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(says(why(from->next()), {"masks/p4.png: is not a picture"}));
  for (int i = 0; i < 20; ++i)
    loader(training());
}

} // namespace
