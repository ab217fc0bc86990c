/// \file Checkpoints and run folders: what is written is read, what is wrong is said, the old file stays.
// SPDX-License-Identifier: MIT
#include "runtime/train/Checkpoint.h"
#include "runtime/train/RunFolder.h"
#include "test/unit/train_support.h"
#include <cmath>
#include <csignal>
#include <set>
#include <sys/resource.h>

namespace segc::test {
namespace {

class Checkpoints : public DataFolder {};
class Runs : public DataFolder {};

files::Tensor tensor(const std::string &name, std::vector<double> values) {
  const auto count = int64_t(values.size());
  return files::Tensor::fromNumbers(name, files::DType::F32, {count}, values);
}

Checkpoint sample() {
  Checkpoint checkpoint;
  checkpoint.model = "net";
  checkpoint.seed = 7;
  checkpoint.state.steps = 120;
  checkpoint.state.phase = 1;
  checkpoint.state.phaseSteps = 20;
  checkpoint.state.position = {3, 5};
  checkpoint.state.best = 0.1 + 0.2; // no short decimal
  checkpoint.state.judgedStep = 110;
  checkpoint.state.bestStep = 100;
  checkpoint.state.sinceBest = 2;
  checkpoint.state.lossSums = {1.0 / 3, 2e-20};
  checkpoint.state.lossCount = 4;
  checkpoint.tensors = {tensor("a.weight", {1, 2, 3}), tensor("state0/a.weight", {0.5, 0.25, 0.125})};
  return checkpoint;
}

Checkpoint readGood(const std::string &file) {
  Result<Checkpoint> result = readCheckpoint(file);
  EXPECT_EQ(result.index(), 0u) << why(result);
  return result.index() == 0 ? std::get<Checkpoint>(result) : Checkpoint();
}

TEST_F(Checkpoints, ComesBackBitForBit) {
  const std::string file = path("c.safetensors"), again = path("d.safetensors");
  ASSERT_EQ(writeCheckpoint(file, sample()), std::nullopt);
  const Checkpoint back = readGood(file);
  const RunState wanted = sample().state;
  EXPECT_EQ(back.model, "net");
  EXPECT_EQ(back.seed, 7u);
  EXPECT_EQ(back.state.steps, wanted.steps);
  EXPECT_EQ(back.state.phase, wanted.phase);
  EXPECT_EQ(back.state.phaseSteps, wanted.phaseSteps);
  EXPECT_EQ(back.state.position.epoch, 3);
  EXPECT_EQ(back.state.position.index, 5);
  EXPECT_EQ(back.state.judgedStep, 110);
  EXPECT_EQ(back.state.bestStep, 100);
  EXPECT_EQ(back.state.sinceBest, 2);
  EXPECT_EQ(back.state.lossCount, 4);
  EXPECT_EQ(back.state.best, wanted.best);
  EXPECT_EQ(back.state.lossSums, wanted.lossSums);
  ASSERT_EQ(back.tensors.size(), 2u);
  EXPECT_EQ(back.tensors[1].bytes, sample().tensors[1].bytes);
  EXPECT_FALSE(isTrainingState(back.tensors[0].name));
  EXPECT_TRUE(isTrainingState(back.tensors[1].name));
  ASSERT_EQ(writeCheckpoint(again, back), std::nullopt);
  EXPECT_EQ(read("c.safetensors"), read("d.safetensors"));
}

TEST_F(Checkpoints, ARunWithoutABestHasNone) {
  Checkpoint checkpoint = sample();
  checkpoint.state.best.reset();
  ASSERT_EQ(writeCheckpoint(path("c.safetensors"), checkpoint), std::nullopt);
  EXPECT_EQ(readGood(path("c.safetensors")).state.best, std::nullopt);
}

TEST_F(Checkpoints, NumbersThatAreNotFiniteDoNotReplaceAGoodFile) {
  const std::string file = path("c.safetensors");
  ASSERT_EQ(writeCheckpoint(file, sample()), std::nullopt);
  const std::string before = read("c.safetensors");
  for (double bad : {double(NAN), double(INFINITY), -double(INFINITY)}) {
    Checkpoint checkpoint = sample();
    checkpoint.tensors[1] = tensor("state0/a.weight", {1, bad, 1});
    const auto problem = writeCheckpoint(file, checkpoint);
    ASSERT_NE(problem, std::nullopt);
    EXPECT_NE(problem->find("'state0/a.weight' is not finite after step 120"), std::string::npos) << *problem;
    EXPECT_EQ(read("c.safetensors"), before);
  }
}

TEST_F(Checkpoints, AFullDiskLeavesTheOldFile) {
  const std::string file = path("c.safetensors");
  ASSERT_EQ(writeCheckpoint(file, sample()), std::nullopt);
  const std::string before = read("c.safetensors");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small = {before.size() / 2, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto problem = writeCheckpoint(file, sample());
  setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_NE(problem, std::nullopt);
  EXPECT_NE(problem->find("cannot be written: File too large"), std::string::npos) << *problem;
  EXPECT_EQ(read("c.safetensors"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(Checkpoints, WhatIsNoneIsSaid) {
  files::TensorFile weights;
  weights.tensors = {tensor("a.weight", {1})};
  const std::string file = path("w.safetensors");
  auto problem = [&] {
    Result<Checkpoint> result = readCheckpoint(file);
    return failureOf(result) ? *failureOf(result) : std::string();
  };
  ASSERT_EQ(files::write(file, weights), std::nullopt);
  EXPECT_NE(problem().find("holds weights but no state of a run"), std::string::npos) << problem();
  weights.metadata["segc.checkpoint"] = "{\"format\": \"segc-checkpoint/1\", \"steps\": -1}";
  ASSERT_EQ(files::write(file, weights), std::nullopt);
  EXPECT_NE(problem().find("steps"), std::string::npos) << problem();
  weights.metadata["segc.checkpoint"] = "{\"format\": \"segc-checkpoint/9\"}";
  ASSERT_EQ(files::write(file, weights), std::nullopt);
  EXPECT_NE(problem().find("segc-checkpoint/1"), std::string::npos) << problem();
  weights.metadata["segc.checkpoint"] = "{";
  ASSERT_EQ(files::write(file, weights), std::nullopt);
  EXPECT_NE(problem(), "");
}

TEST_F(Runs, BeginsOnceAndOpensAgain) {
  const std::string file = path("runs/a");
  EXPECT_FALSE(RunFolder::holdsRun(file));
  Result<RunFolder> begun = RunFolder::begin(file);
  ASSERT_EQ(failureOf(begun), nullptr);
  EXPECT_FALSE(RunFolder::holdsRun(file));
  ASSERT_EQ(std::get<RunFolder>(begun).writeRecord({{"format", "segc-run/1"}, {"steps", 5}}), std::nullopt);
  Result<RunFolder> opened = RunFolder::open(file);
  ASSERT_EQ(failureOf(opened), nullptr);
  EXPECT_EQ(std::get<RunFolder>(opened).record().at("steps"), 5);
  Result<RunFolder> twice = RunFolder::begin(file);
  ASSERT_NE(failureOf(twice), nullptr);
  EXPECT_NE(failureOf(twice)->find("holds a run already"), std::string::npos);
  ASSERT_EQ(std::get<RunFolder>(begun).keep("run.json", "[]"), std::nullopt);
  Result<RunFolder> broken = RunFolder::open(file);
  EXPECT_NE(failureOf(broken), nullptr);
}

TEST_F(Runs, SaysWhatChangedInTheData) {
  const Json before = {{"description", "{\n \"ignore\": 1\n}"}, {"splits", {{"train", {"a b", "c d"}}}}};
  EXPECT_EQ(dataDifference(before, before), std::nullopt);
  Json now = before;
  now["splits"]["train"].push_back("e f");
  EXPECT_EQ(dataDifference(before, now), "split 'train' had 2 pictures and has 3");
  now = before;
  now["splits"]["train"][1] = "x y";
  EXPECT_EQ(dataDifference(before, now), "picture 2 of split 'train' was \"c d\" and is \"x y\"");
  now = before;
  now["description"] = "{\n \"ignore\": 2\n}";
  EXPECT_EQ(dataDifference(before, now),
            "the data's description: line 2 was ' \"ignore\": 1' and is ' \"ignore\": 2'");
}

TEST(RunTexts, NamesTheFirstLineThatDiffers) {
  EXPECT_EQ(textDifference("a\nb\n", "a\nb\n"), std::nullopt);
  EXPECT_EQ(textDifference("a\nb", "a\nc"), "line 2 was 'b' and is 'c'");
  EXPECT_EQ(textDifference("a", "a\nc"), "line 2 was not there and is 'c'");
  EXPECT_EQ(textDifference("a\nb", "a"), "line 2 was 'b' and is gone");
}

TEST_F(Runs, ShuffledMasksAreTheSameMasksElsewhere) {
  for (int i = 0; i < 12; ++i) {
    write("images/" + std::to_string(i) + ".png", Picture(4, 4, 3));
    write("masks/" + std::to_string(i) + ".png", Picture(4, 4, 1));
  }
  Result<Dataset> opened = Dataset::open(folder.string());
  ASSERT_EQ(failureOf(opened), nullptr);
  auto &dataset = std::get<Dataset>(opened);
  const std::string split = dataset.splits()[0].name;
  const std::vector<Item> before = *std::get<0>(dataset.items(split));
  dataset.shuffleMasks(split, 1);
  const std::vector<Item> &after = *std::get<0>(dataset.items(split));
  std::multiset<std::string> masksBefore, masksAfter;
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].image, after[i].image);
    masksBefore.insert(before[i].mask);
    masksAfter.insert(after[i].mask);
    moved += before[i].mask != after[i].mask;
  }
  EXPECT_EQ(masksBefore, masksAfter);
  EXPECT_EQ(moved, 12);
}

} // namespace
} // namespace segc::test
