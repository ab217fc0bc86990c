/// \file Tests of segc-data as a person calls it.
// SPDX-License-Identifier: MIT
#include "runtime/files/Safetensors.h"
#include "runtime/train/Settings.h"
#include "test/unit/train_support.h"
#include <cstdio>
#include <sys/wait.h>

using namespace segc::train;
using namespace segc::test;

namespace {

class TrainTool : public DataFolder {
protected:
  void SetUp() override {
    DataFolder::SetUp();
    for (const char *name : {"a", "b"}) {
      write(std::string("images/") + name + ".png", plain(20, 10, 3, 100));
      Picture mask = plain(20, 10, 1, 0);
      *mask.at(3, 4) = 1;
      write(std::string("masks/") + name + ".png", mask);
    }
  }
  /// Runs the tool; its exit status. What it said is in `out` and `err`.
  int run(const std::string &arguments) {
    const std::string command =
        std::string(SEGC_DATA_TOOL) + " " + arguments + " >" + path("stdout") + " 2>" + path("stderr");
    const int status = std::system(command.c_str());
    out = read("stdout");
    err = read("stderr");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string out, err;
};

TEST_F(TrainTool, Stats) {
  EXPECT_EQ(run("stats " + folder.string() + " -json=" + path("s.json")), 0) << err;
  EXPECT_TRUE(says(out, {"class", "all images", "regions", "2 images (2 in colour) of 20 x 10 pixels"}));
  EXPECT_TRUE(says(err, {"note: no dataset.json: taken as layout 'pairs'"}));
  EXPECT_EQ(std::get<0>(readJson(path("s.json")))["splits"]["all"]["classes"][1]["objects"], 2);
}

TEST_F(TrainTool, Check) {
  EXPECT_EQ(run("check " + folder.string()), 0) << err;
  EXPECT_EQ(out, "2 pictures are good, 0 problems\n");
  write("dataset.json", R"({"images": "images", "masks": "masks", "classes": ["only"]})");
  EXPECT_EQ(run("check " + folder.string()), 1);
  EXPECT_EQ(out, "0 pictures are good, 2 problems\n");
  EXPECT_TRUE(says(err, {"masks/a.png: value 1 at pixel (3, 4)", "masks/b.png: value 1"}));
  EXPECT_EQ(run("stats " + folder.string()), 1);
}

TEST_F(TrainTool, Batches) {
  const std::string file = path("b.safetensors");
  EXPECT_EQ(run("batches " + folder.string() + " -multiple 8 -channels 1 -out " + file), 0) << err;
  auto tensors = std::get<segc::files::TensorFile>(segc::files::read(file)).tensors;
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{2, 1, 16, 24}));
  EXPECT_FLOAT_EQ(float(tensors[0].numbers()[0]), 100 / 255.0f);
  EXPECT_EQ(tensors[1].shape, (std::vector<int64_t>{2, 16, 24}));
  EXPECT_EQ(tensors[1].numbers()[0], 255); // padding
  EXPECT_EQ(tensors[1].numbers()[size_t(16 * 24 + (3 + 4) * 24 + 2 + 3)], 1);

  // As training sees them: equal seeds, equal bytes, over several epochs.
  write("aug.json", std::string(R"({"flip_horizontal": 0.5, "noise": 0.1})"));
  const std::string changed =
      "batches " + folder.string() + " -size 8x8 -count 5 -augment " + path("aug.json") + " -seed 3 -out ";
  EXPECT_EQ(run(changed + file), 0) << err;
  EXPECT_EQ(run(changed + path("again.safetensors")), 0) << err;
  EXPECT_EQ(read("b.safetensors"), read("again.safetensors"));
  EXPECT_EQ(std::get<segc::files::TensorFile>(segc::files::read(file)).tensors[0].shape[0], 5);

  EXPECT_EQ(run("batches " + folder.string() + " -count 3 -out " + file), 1);
  EXPECT_TRUE(says(err, {"the split 'all' has only 2 pictures, not 3"}));
  write("images/b.png", plain(22, 10, 3, 100));
  write("masks/b.png", plain(22, 10, 1, 0));
  EXPECT_EQ(run("batches " + folder.string() + " -out " + path("none")), 1);
  EXPECT_TRUE(says(err, {"b has 22 x 10 pixels, those before 20 x 10; give the size of the crops"}));
  EXPECT_FALSE(fs::exists(path("none")));
}

TEST_F(TrainTool, Sheet) {
  write("aug.json", std::string(R"({"rotate": [-90, 90]})"));
  const std::string sheet = path("sheet.png");
  EXPECT_EQ(run("sheet " + folder.string() + " -out " + sheet), 0) << err;
  auto picture = std::get<Picture>(segc::pictures::readPicture(sheet));
  EXPECT_EQ(picture.width, 2 * 26 + 6); // each picture once
  EXPECT_EQ(run("sheet " + folder.string() + " -out " + sheet + " -augment " + path("aug.json") +
                " -columns 4 --count 6 -size 8x16 -seed 3 -show mask"),
            0)
      << err;
  picture = std::get<Picture>(segc::pictures::readPicture(sheet));
  EXPECT_EQ(picture.width, 4 * 22 + 6);
  EXPECT_EQ(picture.height, 2 * (8 + 6 + 11) + 6);

  // The first column shows pictures as they are, the others do not.
  write("aug.json", std::string(R"({"brightness": 0.5})"));
  EXPECT_EQ(run("sheet " + folder.string() + " -out " + sheet + " -augment " + path("aug.json") +
                " -columns 3 -count 3 -show image"),
            0)
      << err;
  picture = std::get<Picture>(segc::pictures::readPicture(sheet));
  EXPECT_EQ(picture.at(10, 10)[0], 100);
  EXPECT_GT(picture.at(36, 10)[0], 200);
  EXPECT_GT(picture.at(62, 10)[0], 200);
}

TEST_F(TrainTool, WhatIsWrong) {
  const std::string data = folder.string();
  const std::pair<std::string, const char *> cases[] = {
      {"", "usage: segc-data"},
      {"stat " + data,
       "there is no command 'stat'; stats, check, sheet and batches exist; did you mean 'stats'?"},
      {"stats", "usage: segc-data"},
      {"stats " + data + "/none", "there is no such folder or file"},
      {"sheet " + data, "say where the sheet goes"},
      {"sheet " + data + " -out x.png -colums 3", "unknown flag '-colums'; did you mean '-columns'?"},
      {"sheet " + data + " -out x.png -size 3", "HEIGHTxWIDTH such as 256x320"},
      {"sheet " + data + " -out x.png -count 0", "-count is '0'; a whole number from 1 to 10000"},
      {"sheet " + data + " -out x.png -show maks", "did you mean 'mask'?"},
      {"sheet " + data + " -out x.png -split val", "there is no split 'val'; there is 'all'"},
      {"sheet " + data + " -out x.png -augment " + data + "/none.json", "none.json: cannot be opened"},
      {"sheet " + data + " -out " + data + "/no/x.png", "no/x.png: cannot be written"},
      {"sheet " + data + " -out x.png -show weights", "the pixels have no weights"},
      {"sheet " + data + " -out x.png -size 60000x60000",
       "a sheet of 24 samples of 60000 x 60000 pixels would be too large"},
  };
  for (const auto &[arguments, wanted] : cases) {
    EXPECT_EQ(run(arguments), 1) << arguments;
    EXPECT_TRUE(says(err, {"error: ", wanted}));
    EXPECT_EQ(out, "");
  }
  EXPECT_EQ(run("-help"), 0);
  EXPECT_TRUE(says(out, {"usage: segc-data", "-augment", "-show"}));
  EXPECT_EQ(run("-version"), 0);
  EXPECT_EQ(out.rfind("segc ", 0), 0u);
}

} // namespace
