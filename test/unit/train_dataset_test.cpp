/// \file Tests of data sets: layouts, lists, encodings, and what is said when something is wrong.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Overlay.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Random.h"
#include "runtime/train/Statistics.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <set>
#include <stdexcept>

using namespace segc::train;
using namespace segc::test;

namespace {

class TrainDataset : public DataFolder {
protected:
  Dataset opened(const std::string &name = "") {
    Result<Dataset> result = Dataset::open(name.empty() ? folder.string() : path(name));
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
  std::string refused() { return why(Dataset::open(folder.string())); }
  /// What loading the first picture of the first split says.
  std::string loadError() {
    const Dataset data = opened();
    return why(data.load(data.splits()[0].items[0]));
  }
  Example loaded(const Dataset &data, size_t index = 0, LoadOptions options = {}) {
    Result<Example> result = data.load(data.splits()[0].items[index], options);
    if (result.index())
      throw std::runtime_error(why(result));
    return std::get<0>(std::move(result));
  }
  /// Two pictures with masks of 0 and 255 in images/ and masks/.
  void writePairs() {
    for (const char *name : {"a", "b"}) {
      write(std::string("images/") + name + ".png", plain(3, 2, 3, 100));
      write(std::string("masks/") + name + ".png", gray(3, {0, 0, 255, 255, 0, 0}));
    }
  }
  static std::vector<std::string> names(const SplitFiles &split) {
    std::vector<std::string> result;
    for (const Item &item : split.items)
      result.push_back(item.name);
    return result;
  }
};

TEST_F(TrainDataset, FoldersWithoutDescription) {
  writePairs();
  const Dataset data = opened();
  ASSERT_EQ(data.splits().size(), 1u);
  EXPECT_EQ(data.splits()[0].name, "all");
  EXPECT_EQ(names(data.splits()[0]), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(data.classes().size(), 2u);
  EXPECT_EQ(loaded(data).labels.values, (std::vector<int32_t>{0, 0, 1, 1, 0, 0}));
  EXPECT_FALSE(data.weighted());
  ASSERT_EQ(data.notes().size(), 2u);
  EXPECT_TRUE(says(data.notes()[1], {"2 masks hold the values 0 and 255"}));
  EXPECT_TRUE(says(why(data.items("al")), {"there is no split 'al'; there is 'all'; did you mean 'all'?"}));

  // A text file that names no pictures is no list; one that does is, whatever it is called.
  write("README.txt", std::string("These are pictures.\n"));
  write("hard.txt", std::string("b\n"));
  const Dataset listed = opened();
  ASSERT_EQ(listed.splits().size(), 1u);
  EXPECT_EQ(listed.splits()[0].name, "hard");
  fs::remove(path("hard.txt"));

  // Other values: classes up to the largest, 255 is void.
  write("masks/b.png", gray(3, {0, 1, 2, 3, 255, 0}));
  write("masks/a.png", gray(3, {0, 1, 2, 3, 0, 0}));
  const Dataset more = opened();
  EXPECT_EQ(more.classes().size(), 4u);
  EXPECT_EQ(loaded(more, 1).labels.values, (std::vector<int32_t>{0, 1, 2, 3, ignored, 0}));
}

TEST_F(TrainDataset, ListsAndPatterns) {
  writePairs();
  write("masks/c_seg.png", gray(3, {0, 0, 0, 0, 0, 0}));
  write("masks/a_seg.png", gray(3, {1, 1, 1, 1, 1, 1}));
  write("images/c d.png", plain(3, 2, 1, 1));
  write("other/m.png", gray(3, {1, 0, 0, 0, 0, 0}));
  write("lists/t.txt", "# names\r\n\r\na.png\r\n  a  \n");
  write("lists/v.txt", "images/c d.png\n");
  write("dataset.json", R"({"images": "images", "masks": "masks/{name}_seg.png", "classes": ["no", "yes"],
                            "splits": {"train": "lists/t.txt"}})");
  Dataset data = opened();
  EXPECT_EQ(names(data.splits()[0]), (std::vector<std::string>{"a", "a"}));
  EXPECT_EQ(loaded(data).labels.values, std::vector<int32_t>(6, 1));
  EXPECT_EQ(data.classes()[1].name, "yes");

  // A picture and its mask on one line.
  write("lists/t.txt", "images/b.png other/m.png\n");
  data = opened();
  EXPECT_EQ(data.splits()[0].items[0].name, "b");
  EXPECT_EQ(loaded(data).labels.values[0], 1);

  // {split} in names; a description with a root elsewhere.
  write("sets/train/x/p.png", plain(2, 1, 3, 0));
  write("sets/train/y/p.png", gray(2, {0, 1}));
  write("sets/val/x/q.png", plain(2, 1, 3, 0));
  write("sets/val/y/q.png", gray(2, {1, 1}));
  write("json/d.json",
        R"({"root": "../sets", "images": "{split}/x", "masks": "{split}/y", "classes": ["0", "1"]})");
  data = opened("json/d.json");
  ASSERT_EQ(data.splits().size(), 2u);
  EXPECT_EQ(data.splits()[1].name, "val");
  EXPECT_EQ(data.splits()[1].items[0].name, "q");
}

TEST_F(TrainDataset, SharesCoverEverythingOnce) {
  for (int i = 0; i < 20; ++i) {
    write("images/p" + std::to_string(i) + ".png", plain(1, 1, 1, 0));
    write("masks/p" + std::to_string(i) + ".png", plain(1, 1, 1, 0));
  }
  write(
      "dataset.json",
      R"({"images": "images/{name}.png", "masks": "masks", "classes": ["a", "b"], "splits": {"train": 0.7, "val": 0.3}})");
  const Dataset data = opened();
  EXPECT_EQ(data.splits()[0].items.size(), 14u);
  EXPECT_EQ(data.splits()[1].items.size(), 6u);
  std::set<std::string> all;
  for (const SplitFiles &split : data.splits())
    for (const Item &item : split.items)
      all.insert(item.name);
  EXPECT_EQ(all.size(), 20u);
  EXPECT_EQ(names(opened().splits()[0]), names(data.splits()[0]));
  write("dataset.json", R"({"images": "images", "masks": "masks", "classes": ["a", "b"], "split_seed": 5,
                            "splits": {"train": 0.7, "val": 0.3}})");
  EXPECT_NE(names(opened().splits()[0]), names(data.splits()[0]));
}

TEST_F(TrainDataset, VocLayout) {
  Picture mask = gray(4, {0, 15, 255, 20}), objects = gray(4, {0, 1, 255, 0});
  mask.palette = objects.palette = segc::pictures::vocPalette();
  write("JPEGImages/p.jpg", makeJpeg(4, 1, 3, false, Bytes(12, 90)));
  write("SegmentationClass/p.png", mask);
  write("SegmentationObject/p.png", objects);
  write("ImageSets/Segmentation/val.txt", "p\n");
  write("ImageSets/Segmentation/train.txt", "p\n");
  const Dataset data = opened();
  ASSERT_EQ(data.classes().size(), 21u);
  EXPECT_EQ(data.classes()[20].name, "tvmonitor");
  EXPECT_EQ(data.classes()[15].colour, (Colour{192, 128, 128}));
  EXPECT_EQ(data.splits()[0].name, "train");
  LoadOptions options;
  options.instances = true;
  const Example example = loaded(data, 0, options);
  EXPECT_EQ(example.labels.values, (std::vector<int32_t>{0, 15, ignored, 20}));
  EXPECT_EQ(example.instances.values, (std::vector<int32_t>{0, 1, ignored, 0}));
  const auto statistics = std::get<Statistics>(measure(data));
  EXPECT_TRUE(statistics.instances);
  EXPECT_EQ(statistics.splits[1].classes[15].objects, 1);
  EXPECT_EQ(statistics.splits[1].ignoredPixels, 1);

  write("dataset.json", R"({"layout": "voc", "encoding": "instances", "ignore": 255})");
  EXPECT_EQ(loaded(opened()).labels.values, (std::vector<int32_t>{0, 1, ignored, 0}));

  // A picture without a map of objects counts none.
  fs::remove(path("dataset.json"));
  write("JPEGImages/q.jpg", makeJpeg(4, 1, 3, false, Bytes(12, 90)));
  write("SegmentationClass/q.png", mask);
  write("ImageSets/Segmentation/val.txt", std::string("p\nq\n"));
  const auto partly = std::get<Statistics>(measure(opened()));
  EXPECT_EQ(partly.splits[1].objectImages, 1);
  EXPECT_EQ(partly.splits[1].objects, 1);
  EXPECT_TRUE(says(partly.text(), {"val: objects are counted in the 1 images that have a map"}));
}

TEST_F(TrainDataset, CamvidLayout) {
  write("train/p.png", plain(4, 1, 3, 9));
  write("trainannot/p.png", gray(4, {0, 3, 10, 11}));
  write("train.txt", "train/p.png trainannot/p.png\n");
  const Dataset data = opened();
  ASSERT_EQ(data.classes().size(), 11u);
  EXPECT_EQ(data.classes()[10].name, "Bicyclist");
  EXPECT_EQ(loaded(data).labels.values, (std::vector<int32_t>{0, 3, 10, ignored}));

  // The original masks are colours: lane markings are road, a truck is a car, black is void.
  Picture colours(4, 1, 3);
  colours.bytes = {128, 0, 192, 192, 128, 192, 0, 0, 0, 128, 128, 128};
  write("colours/p_L.png", colours);
  write("dataset.json",
        R"({"layout": "camvid", "images": "train", "masks": "colours/{name}_L.png", "encoding": "colours",
            "splits": {"train": 1}})");
  EXPECT_EQ(loaded(opened()).labels.values, (std::vector<int32_t>{3, 8, ignored, 0}));
}

TEST_F(TrainDataset, ColoursFromAJsonOfClasses) {
  Picture mask(3, 1, 3);
  mask.bytes = {10, 20, 30, 1, 1, 1, 255, 255, 255};
  write("images/p.ppm", plain(3, 1, 3, 4));
  write("masks/p.png", mask);
  write("classes.json", R"([{"name": "ground", "colour": [1, 1, 1]},
                            {"name": "thing", "colours": [[10, 20, 30], [40, 50, 60]]}])");
  write("dataset.json", R"({"encoding": "colours", "classes": "classes.json", "ignore": [[255, 255, 255]]})");
  const Dataset data = opened();
  EXPECT_EQ(loaded(data).labels.values, (std::vector<int32_t>{1, 0, ignored}));
  EXPECT_EQ(data.classes()[1].colour, (Colour{10, 20, 30}));
  mask.bytes[8] = 254;
  write("masks/p.png", mask);
  EXPECT_TRUE(says(loadError(), {"masks/p.png: colour [255, 255, 254] at pixel (2, 0) stands for no class",
                                 "'ignore' in dataset.json"}));
  write("masks/p.png", gray(3, {1, 1, 255})); // gray is a colour too
  EXPECT_EQ(loaded(opened()).labels.values, (std::vector<int32_t>{0, 0, ignored}));
}

TEST_F(TrainDataset, InstancesBoundariesAndWeights) {
  write("images/p.png", plain(5, 1, 1, 4));
  write("instances/p.png", deepPng(5, {0, 300, 300, 9999, 0}));
  EXPECT_EQ(loaded(opened()).labels.values, (std::vector<int32_t>{0, 1, 1, 1, 0}));
  write("dataset.json", R"({"images": "images", "masks": "instances", "encoding": "instances",
                            "target": {"type": "classes", "separate": true}, "weights": {"border": {"sigma": 2}, "classes": [1, 4]}})");
  const Dataset data = opened();
  EXPECT_TRUE(data.weighted());
  const Example example = loaded(data);
  EXPECT_EQ(example.labels.values, (std::vector<int32_t>{0, 1, 0, 0, 0}));
  EXPECT_EQ(example.weights.values[1], 4);
  EXPECT_GT(example.weights.values[4], 1);
  LoadOptions options;
  options.weights = false;
  EXPECT_TRUE(loaded(data, 0, options).weights.values.empty());
  write("dataset.json",
        R"({"images": "images", "masks": "instances", "encoding": "instances", "target": "boundary"})");
  EXPECT_EQ(loaded(opened()).labels.values, (std::vector<int32_t>{2, 2, 2, 2, 2}));
  EXPECT_EQ(opened().classes()[2].name, "boundary");
}

TEST_F(TrainDataset, ColourBinsNeedNoMasks) {
  write("images/p.png", plain(3, 1, 3, 77));
  write("dataset.json", R"({"images": "images", "target": "colour_bins", "input": {"channels": 1}})");
  const Dataset data = opened();
  EXPECT_EQ(data.classes().size(), 25u);
  EXPECT_EQ(loaded(data).labels.values, (std::vector<int32_t>{0, 0, 0}));
  write("images/p.png", plain(3, 1, 1, 77));
  EXPECT_TRUE(says(loadError(), {"p.png: is gray"}));
}

TEST_F(TrainDataset, DeepSamplesAndShrinking) {
  write("images/p.png", deepPng(4, {0, 4000, 8000, 8000, 0, 4000, 8000, 8000}));
  write("masks/p.png", gray(4, {0, 1, 2, 3, 1, 1, 2, 2}));
  write("dataset.json", R"({"classes": ["a", "b", "c", "d"], "input": {"shrink": 2}})");
  const Example example = loaded(opened());
  EXPECT_EQ(example.image.bits, 16);
  EXPECT_EQ(example.image.sample(0), 2000);
  EXPECT_EQ(example.image.sample(1), 8000);
  EXPECT_EQ(example.labels.values, (std::vector<int32_t>{1, 2}));
  write("dataset.json", R"({"classes": ["a", "b", "c", "d"], "input": {"shrink": 3}})");
  EXPECT_TRUE(says(loadError(), {"p.png: has 4 x 2 pixels, too few for 'shrink' 3"}));
}

TEST_F(TrainDataset, MissingFilesAreNamed) {
  EXPECT_TRUE(says(refused(), {folder.string() + ": has no dataset.json and no known layout"}));
  EXPECT_TRUE(says(why(Dataset::open(path("none"))), {"none: there is no such folder or file"}));
  fs::create_directories(path("images"));
  fs::create_directories(path("masks"));
  EXPECT_TRUE(says(refused(), {"there are no pictures in", "images; put PNG"}));
  writePairs();
  fs::remove(path("masks/b.png"));
  EXPECT_TRUE(says(refused(), {"images/b.png has no mask", "masks/b.png"}));
  write("train.txt", "a\n\nz\n");
  EXPECT_TRUE(says(refused(), {"train.txt:3: there is no picture", "images/z.png", "for 'z'"}));
  write("train.txt", "images/a.png masks/z.png\n");
  EXPECT_TRUE(says(refused(), {"train.txt:1: there is no file", "masks/z.png"}));
  write("train.txt", "a\nb\n");
  EXPECT_TRUE(says(refused(), {"train.txt:2:", "images/b.png has no mask"}));
  write("train.txt", "# nothing\n");
  EXPECT_TRUE(says(refused(), {"train.txt: names no picture"}));
  write("dataset.json", R"({"splits": {"train": "nowhere.txt"}, "classes": ["a"]})");
  EXPECT_TRUE(says(refused(), {"nowhere.txt: cannot be opened: No such file"}));
  write("dataset.json", R"({"splits": {"train": 0.99, "val": 0.01}, "classes": ["a"]})");
  fs::remove(path("images/b.png"));
  EXPECT_TRUE(says(refused(), {"split 'val' gets none of the 1 pictures"}));
}

TEST_F(TrainDataset, WrongMasksAreNamed) {
  writePairs();
  const std::string description = R"({"classes": [{"name": "a"}, {"name": "b", "values": [255]}]})";
  write("dataset.json", description);
  write("masks/a.png", gray(2, {0, 0, 0, 0}));
  EXPECT_TRUE(says(loadError(), {"masks/a.png: has 2 x 2 pixels, its picture", "images/a.png has 3 x 2"}));
  write("masks/a.png", gray(3, {0, 0, 255, 255, 7, 0}));
  EXPECT_TRUE(says(loadError(),
                   {"masks/a.png: value 7 at pixel (1, 1) stands for no class", "the classes have 0, 255"}));
  write("masks/a.png", plain(3, 2, 3, 0));
  EXPECT_TRUE(says(loadError(),
                   {"masks/a.png: has colours where class numbers are wanted", "\"encoding\": \"colours\""}));
  write("masks/a.png", Bytes{1, 2, 3});
  EXPECT_TRUE(says(loadError(), {"masks/a.png: is not a picture"}));
  write("images/a.png", Bytes{});
  EXPECT_TRUE(says(loadError(), {"images/a.png: is empty"}));
  fs::remove(path("images/a.png"));
  write("images/a.jpg", makeJpeg(3, 2, 1, false, Bytes(6, 1)));
  write("masks/a.png", gray(3, {0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(loadError(), "(no failure)");
  fs::remove(path("masks/a.png"));
  write("masks/a.jpg", makeJpeg(3, 2, 1, false, Bytes(6, 0)));
  EXPECT_TRUE(says(loadError(), {"a.jpg: is a JPEG, whose compression changes class numbers"}));
}

TEST_F(TrainDataset, GuessingNeedsNumbers) {
  writePairs();
  write("masks/b.png", deepPng(3, {0, 1, 2, 3, 700, 0}));
  EXPECT_TRUE(says(refused(), {"the masks hold values up to 700", "\"encoding\": \"instances\""}));
  write("masks/b.png", plain(3, 2, 3, 0));
  EXPECT_TRUE(says(refused(), {"masks/b.png: has colours", "dataset.json"}));
  write("dataset.json", R"({"encoding": "colours"})");
  EXPECT_TRUE(says(refused(), {"dataset.json: field 'classes' is missing"}));
}

/// Each wrong description with what must be said about it.
TEST_F(TrainDataset, WrongDescriptions) {
  writePairs();
  const std::pair<const char *, const char *> cases[] = {
      {R"({"clases": []})", "unknown field 'clases'; did you mean 'classes'?"},
      {R"({"massks": 1})", "did you mean 'masks'?"}, // 'classes' is farther off, though asked for earlier
      {R"({"zzzz": 1})", "unknown field 'zzzz'; the fields are classes, encoding, ignore, images"},
      {"{\"images\": \"a\",\n  \"masks\" 3}", "dataset.json:2:11: is not valid JSON"},
      {R"({"root": 1, "root": 2})", "has the field \"root\" twice"},
      {"[1]", "is a list where an object { } is wanted"},
      {R"({"root": 3})", "field 'root' is 3; a text in quotes is wanted"},
      {R"({"layout": "vok"})",
       "field 'layout' is 'vok'; it may be 'pairs', 'voc', 'camvid'; did you mean 'voc'?"},
      {R"({"encoding": "numbers"})", "it may be 'values', 'colours', 'instances'"},
      {R"({"classes": []})", "field 'classes' is no list of 1 to 4096 classes"},
      {R"({"classes": "none.json"})", "none.json: cannot be opened"},
      {R"({"classes": [{"nam": "a"}]})", "classes[0]: unknown field 'nam'; did you mean 'name'?"},
      {R"({"classes": [{"colour": [1, 2]}]})", "classes[0]: field 'colour' is [1,2]; [red, green, blue]"},
      {R"({"classes": [{"values": -1}]})", "field 'values' has the entry -1; whole numbers from 0 to 65535"},
      {R"({"classes": [{"name": "a"}, {"name": "b", "values": 0}]})", "gives 'a' and 'b' the same value 0"},
      {R"({"encoding": "colours", "classes": [{"name": "a", "colour": [1, 1, 1]}, {"name": "b", "colour": [1, 1, 1]}]})",
       "gives 'a' and 'b' the same colour [1,1,1]"},
      {R"({"classes": ["a"], "ignore": "x"})", "field 'ignore' has the entry \"x\""},
      {R"({"classes": ["a"], "target": "box"})", "target: field 'type' is 'box'"},
      {R"({"target": "boundary"})", "needs instance maps"},
      {R"({"target": "boundary", "encoding": "instances", "classes": ["a"]})", "is decided by the target"},
      {R"({"target": {"type": "boundary", "radius": 0}, "encoding": "instances"})",
       "target: field 'radius' is 0; a whole number from 1 to 100 is wanted"},
      {R"({"target": {"type": "colour_bins", "bins": 4}})", "field 'bins' is 4; an odd number"},
      {R"({"target": {"type": "classes", "bins": 5}})", "target: unknown field 'bins'"},
      {R"({"encoding": "instances", "classes": ["a", "b", "c"]})",
       "instances give two: background and object"},
      {R"({"classes": ["a"], "splits": {}})", "field 'splits' is no object such as"},
      {R"({"classes": ["a"], "splits": {"train": 2}})", "has 2 for 'train'"},
      {R"({"classes": ["a"], "splits": {"train": 0.5, "val": "v.txt"}})", "mixes list files and shares"},
      {R"({"classes": ["a"], "splits": {"train": 0.9, "val": 0.2}})", "add up to 1.1"},
      {R"({"classes": ["a"], "input": {"channels": 2}})", "input: field 'channels' is 2"},
      {R"({"classes": ["a"], "input": {"mean": [1, 2]}})", "input: field 'mean' has 2 numbers"},
      {R"({"classes": ["a"], "input": {"std": 0}})", "input: field 'std' is 0; a number from 1e-06 to"},
      {R"({"classes": ["a"], "weights": {"border": {"objects": "b"}}})", "names \"b\", which is no class"},
      {R"({"classes": ["a"], "weights": {"classes": [1, 2]}})", "has 2 numbers for 1 classes"},
      {R"({"classes": ["a"], "weights": {"border": {"sigma": "x"}}})",
       "border: field 'sigma' is \"x\"; a number"},
  };
  for (const auto &[text, wanted] : cases) {
    write("dataset.json", text);
    const std::string message = refused();
    EXPECT_TRUE(says(message, {"dataset.json", wanted}) || says(message, {wanted, "none.json"}))
        << text << "\n"
        << message;
  }
  write("dataset.json", "{\"a\": " + std::string(100, '[') + std::string(100, ']') + "}");
  EXPECT_TRUE(says(refused(), {"is nested more than 64 deep"}));
  fs::remove_all(path("images"));
  write("dataset.json", R"({"classes": ["a"]})");
  EXPECT_TRUE(says(refused(), {"field 'images' is missing"}));
}

/// Whatever stands in a description or a list: an answer, and no crash (the sanitizers watch).
TEST_F(TrainDataset, DamagedTextsNeverCrash) {
  writePairs();
  write("classes.json", std::string(R"(["a", {"name": "b", "values": [255], "colours": [[1, 2, 3]]}])"));
  const std::string description =
      R"({"root": ".", "images": "images/{name}.png", "masks": "masks", "encoding": "values",
          "classes": "classes.json", "ignore": [9, [7, 7, 7]], "target": {"type": "classes", "separate": true},
          "splits": {"train": "t.txt"}, "input": {"mean": [1, 2, 3], "std": 2, "shrink": 1},
          "weights": {"border": {"w0": 1, "sigma": 2, "objects": ["b"]}, "classes": [1, 2]}})";
  const std::string list = "a\nb # no comment\nimages/a.png masks/b.png\n";
  Random random(1, 0, 0);
  int good = 0;
  for (int round = 0; round < (getenv("SEGC_LONG") ? 5000 : 400); ++round) {
    std::string texts[] = {description, list.substr(0, 2)};
    std::string &damaged = texts[round % 4 == 0];
    for (int64_t n = random.below(3); n >= 0 && !damaged.empty(); --n) {
      const size_t at = size_t(random.below(int64_t(damaged.size())));
      const int kind = int(random.below(3));
      if (kind == 0)
        damaged[at] = char(random.below(256));
      else if (kind == 1)
        damaged.erase(at, 1 + size_t(random.below(8)));
      else
        damaged.insert(at, std::vector<std::string>{"{", "]", "\"", "1e99", "-1", "null",
                                                    "../"}[size_t(random.below(7))]);
    }
    write("dataset.json", texts[0]);
    write("t.txt", texts[1]);
    const Result<Dataset> result = Dataset::open(folder.string());
    if (result.index())
      continue;
    ++good;
    for (const SplitFiles &split : std::get<0>(result).splits())
      for (const Item &item : split.items)
        (void)std::get<0>(result).load(item);
  }
  EXPECT_GT(good, 0);
}

TEST_F(TrainDataset, StatisticsAndCheck) {
  for (const char *name : {"a", "b", "c"})
    write(std::string("images/") + name + ".png", plain(4, 2, 1, 51));
  write("masks/a.png", gray(4, {1, 0, 0, 1, 0, 1, 0, 1}));
  write("masks/b.png", gray(4, {0, 0, 0, 0, 0, 0, 0, 9}));
  write("masks/c.png", gray(4, {0, 0, 0, 0, 0, 0, 0, 0}));
  write("train.txt", "a\nb\n");
  write("val.txt", "c\n");
  write(
      "dataset.json",
      R"({"classes": ["ground", "thing", "never"], "ignore": 9, "splits": {"train": "train.txt", "val": "val.txt"}})");
  const auto statistics = std::get<Statistics>(measure(opened()));
  const SplitStatistics &train = statistics.splits[0];
  EXPECT_EQ(train.images, 2);
  EXPECT_EQ(train.pixels, 15);
  EXPECT_EQ(train.ignoredPixels, 1);
  EXPECT_EQ(train.classes[0].images, 2);
  EXPECT_EQ(train.classes[0].pixels, 11);
  EXPECT_EQ(train.classes[1].images, 1);
  EXPECT_EQ(train.classes[1].objects, 2); // two that touch at a corner, two below each other
  EXPECT_NEAR(train.mean[1], 0.2, 1e-9);
  EXPECT_NEAR(train.deviation[1], 0, 1e-6);
  // Frequencies 11/15 and 4/8; their median is the mean of both.
  const double median = (11.0 / 15 + 4.0 / 8) / 2;
  EXPECT_NEAR(statistics.balancedWeights[0], median / (11.0 / 15), 1e-9);
  EXPECT_NEAR(statistics.balancedWeights[1], median / (4.0 / 8), 1e-9);
  EXPECT_EQ(statistics.balancedWeights[2], 0);
  EXPECT_TRUE(says(statistics.text(),
                   {"class", "train images", "regions", "thing", "73.33", "total", "6.25 % ignored"}));
  const Json json = statistics.json();
  EXPECT_EQ(json["splits"]["train"]["classes"][1]["objects"], 2);
  EXPECT_EQ(json["splits"]["val"]["images"], 1);

  write("masks/a.png", gray(4, {0, 1, 0, 1, 0, 1, 0, 3}));
  write("masks/c.png", Bytes{1});
  write("val.txt", "c\na\n");
  std::vector<Failure> problems;
  EXPECT_EQ(measure(opened()).index(), 1u);
  EXPECT_EQ(measure(opened(), &problems).index(), 0u);
  ASSERT_EQ(problems.size(), 4u);
  EXPECT_TRUE(says(problems[0], {"masks/a.png: value 3 at pixel (3, 1)"}));
  EXPECT_TRUE(says(problems[1], {"masks/c.png: is not a picture"}));
  EXPECT_TRUE(says(problems[3], {"images/a.png: stands in the splits 'train' and 'val'"}));
}

} // namespace
