/// \file The training section: what its words become, and what is said about wrong ones.
// SPDX-License-Identifier: MIT
#include "frontend_training_support.h"

using namespace segc;
using namespace segc::test;

namespace {

TEST(Training, TheBaseIsGood) {
  Parsed parsed(trainingModel());
  ASSERT_TRUE(parsed.model) << parsed.messages;
  EXPECT_TRUE(parsed.model->producers.count("image"));
  EXPECT_FALSE(parsed.model->producers.count("mask")); // no value of the network
}

TEST(Training, LossesHaveTheDefaultsOfTheFormat) {
  Parsed parsed(trainingModel({{"losses", R"([{"type": "cross_entropy", "input": "up", "target": "mask"},
      {"type": "bce", "input": "edge", "target": "mask"}, {"type": "focal", "input": "up", "target": "mask"},
      {"type": "dice", "input": "up", "target": "mask"}, {"type": "smooth_l1", "input": "edge", "target": "depth"}])"}}));
  ASSERT_TRUE(parsed.model) << parsed.messages;
  const std::vector<Loss> &losses = parsed.model->training->losses;
  ASSERT_EQ(losses.size(), 5u);
  EXPECT_EQ(losses[0].type, "cross_entropy");
  EXPECT_EQ(losses[0].input, "up");
  EXPECT_EQ(losses[0].producer, "up.1"); // an instance stands for its last layer
  EXPECT_EQ(losses[0].target, "mask");
  EXPECT_EQ(losses[0].pixelWeight, "");
  EXPECT_EQ(losses[0].weight, 1);
  EXPECT_FALSE(losses[0].resizeTarget);
  EXPECT_EQ(losses[0].reduction, "mean");
  EXPECT_EQ(losses[0].ignoreIndex, 255);
  EXPECT_TRUE(losses[0].classWeights.empty());
  EXPECT_EQ(losses[1].posWeight, 1.0);
  EXPECT_EQ(losses[2].alpha, std::vector<double>{0.25});
  EXPECT_EQ(losses[2].gamma, 2);
  EXPECT_EQ(losses[3].eps, 1);
  EXPECT_FALSE(losses[3].perImage);
  EXPECT_EQ(losses[4].beta, 1);
  EXPECT_EQ(losses[3].title, "loss 3 (dice of 'up')");
}

TEST(Training, LossesHaveWhatIsWritten) {
  Parsed parsed(trainingModel({{"losses", R"([
      {"type": "cross_entropy", "input": "up", "target": "mask", "weight": 0.5, "resize_target": true,
       "pixel_weight": "borders", "reduction": "sum", "ignore_index": -100, "class_weights": [1, 0.5, 2]},
      {"type": "bce", "input": "edge", "target": "mask", "pos_weight": "auto", "ignore_index": 7},
      {"type": "bce", "input": "edge", "target": "mask", "pos_weight": 3},
      {"type": "focal", "input": "up", "target": "mask", "alpha": [1, 2, 3], "gamma": 0, "ignore_index": -100},
      {"type": "soft_iou", "input": "up", "target": "mask", "eps": 0.1, "per_image": true, "reduction": "mean",
       "ignore_index": -100},
      {"type": "smooth_l1", "input": "edge", "target": "depth", "beta": 0.5}])"}}));
  ASSERT_TRUE(parsed.model) << parsed.messages;
  const std::vector<Loss> &losses = parsed.model->training->losses;
  EXPECT_EQ(losses[0].weight, 0.5);
  EXPECT_TRUE(losses[0].resizeTarget);
  EXPECT_EQ(losses[0].pixelWeight, "borders");
  EXPECT_EQ(losses[0].reduction, "sum");
  EXPECT_EQ(losses[0].ignoreIndex, -100);
  EXPECT_EQ(losses[0].classWeights, (std::vector<double>{1, 0.5, 2}));
  EXPECT_FALSE(losses[1].posWeight.has_value());
  EXPECT_EQ(losses[1].ignoreIndex, 7);
  EXPECT_EQ(losses[2].posWeight, 3.0);
  EXPECT_EQ(losses[3].alpha, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(losses[3].gamma, 0);
  EXPECT_EQ(losses[4].eps, 0.1);
  EXPECT_TRUE(losses[4].perImage);
  EXPECT_EQ(losses[5].beta, 0.5);
}

TEST(Training, PhasesReplaceFreezeAndLosses) {
  Parsed parsed(
      trainingModel({{"freeze", R"(["enc"])"}, {"phases", R"([{"steps": 10}, {"freeze": [], "steps": 5},
      {"losses": [{"type": "dice", "input": "up", "target": "mask"}]}])"}}));
  ASSERT_TRUE(parsed.model) << parsed.messages;
  const Training &training = *parsed.model->training;
  EXPECT_EQ(training.freezeIn(-1).size(), 1u);
  EXPECT_EQ(training.freezeIn(0).size(), 1u);
  EXPECT_EQ(training.freezeIn(1).size(), 0u);
  EXPECT_EQ(training.lossesIn(1)[0].type, "cross_entropy");
  EXPECT_EQ(training.lossesIn(2)[0].type, "dice");
  EXPECT_EQ(training.lossesIn(2)[0].title, "phase 2, loss 0 (dice of 'up')");
  EXPECT_EQ(training.phases[0].steps, 10);
  EXPECT_EQ(training.phases[2].steps, 0);
}

TEST(Training, TargetsShareTheNamesOfLayersAndInputs) {
  auto targets = [](const std::string &more) {
    return sectionMessage({{"targets", R"([{"name": "mask", "shape": [1, 8, 8]}, )" + more + "]"}});
  };
  EXPECT_EQ(targets(R"({"name": "mask", "shape": [1, 8, 8]})"),
            "duplicate name 'mask'; rename one of the two");
  EXPECT_EQ(targets(R"({"name": "image", "shape": [1, 8, 8]})"),
            "duplicate name 'image'; rename one of the two");
  EXPECT_EQ(targets(R"({"name": "enc", "shape": [1, 8, 8]})"), "duplicate name 'enc'; rename one of the two");
  EXPECT_EQ(targets(R"({"name": "up.1", "shape": [1, 8, 8]})"),
            "duplicate name 'up.1'; rename one of the two");
  EXPECT_EQ(targets(R"({"name": "m", "shape": [1, 8]})"),
            "target 'm' needs a \"shape\" of three or four extents, [N, H, W] or [N, C, H, W]");
  EXPECT_EQ(targets(R"({"name": "m", "shape": [1, "?", 8, 8]})"),
            "an extent must be an integer from 1 to 16777216, not the string '?'; the number of channels is "
            "always known");
  EXPECT_EQ(targets(R"({"name": "m", "shape": ["?", "?", "?"], "dtype": "int"})").find("\"dtype\" cannot be"),
            0u);
  EXPECT_EQ(targets(R"({"name": "m", "shape": ["?", "?", "?"], "dype": "i32"})"),
            "unknown field 'dype' of a target; did you mean 'dtype'?");
  EXPECT_EQ(targets(R"({"name": "../m", "shape": [1, 8, 8]})").find("a target needs a \"name\""), 0u);
  EXPECT_EQ(targets("7"), "a target must be an object with \"name\", \"shape\" and \"dtype\"");
  EXPECT_EQ(sectionMessage({{"targets", "[]"}}),
            "\"targets\" is empty; it must be a list of objects with \"name\", \"shape\" and \"dtype\"");
  EXPECT_EQ(sectionMessage({{"targets", ""}}), "training needs \"targets\", a list of at least one");
}

/// The message about one loss.
std::string lossMessage(const std::string &fields) {
  return sectionMessage({{"losses", "[{" + fields + "}]"}});
}

TEST(Training, WrongLossesAreErrors) {
  const std::string dice = R"("type": "dice", "input": "up", "target": "mask")";
  const std::string title = "loss 0 (dice of 'up'): ";
  EXPECT_EQ(lossMessage(dice), "");
  EXPECT_EQ(sectionMessage({{"losses", ""}}), "training needs \"losses\", a list of at least one");
  EXPECT_EQ(sectionMessage({{"losses", "[]"}}),
            "\"losses\" is empty; it must be a list of objects with \"type\", \"input\" and \"target\"");
  EXPECT_EQ(sectionMessage({{"losses", "{}"}}),
            "\"losses\" must be a list of objects with \"type\", \"input\" and \"target\", not an object");
  EXPECT_EQ(sectionMessage({{"losses", "[3]"}}),
            "loss 0: must be an object with \"type\", \"input\" and \"target\", not 3");
  EXPECT_EQ(lossMessage(R"("input": "up", "target": "mask")"), "loss 0: a loss needs \"type\"");
  EXPECT_EQ(lossMessage(R"("type": "dise", "input": "up", "target": "mask")"),
            "loss 0: \"type\" cannot be 'dise'; did you mean 'dice'?");
  EXPECT_EQ(lossMessage(R"("type": "dice", "target": "mask")"), "loss 0: dice needs \"input\"");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": "up")"), title + "dice needs \"target\"");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": "upp", "target": "mask")"),
            "loss 0 (dice of 'upp'): there is no layer or input 'upp'; did you mean 'up'?");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": "image", "target": "mask")"),
            "loss 0 (dice of 'image'): 'image' is an input of the model; a loss judges a layer");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": "mask", "target": "mask")"),
            "loss 0 (dice of 'mask'): 'mask' is a target of the model; a loss judges a layer");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": 3, "target": "mask")"),
            "loss 0: \"input\" must be a string, not 3");
  EXPECT_EQ(lossMessage(R"("type": "dice", "input": "up", "target": "maks")"),
            title + "there is no target 'maks'; did you mean 'mask'?");
  EXPECT_EQ(
      lossMessage(R"("type": "dice", "input": "up", "target": "image")").find(title + "there is no target"),
      0u);
  EXPECT_EQ(lossMessage(dice + R"(, "pixel_weight": "border")"),
            title + "there is no target 'border'; did you mean 'borders'?");
  EXPECT_EQ(lossMessage(dice + R"(, "wieght": 1)"),
            title + "unknown field 'wieght' of dice; did you mean 'weight'?");
  EXPECT_EQ(lossMessage(dice + R"(, "weight": 1e31)"),
            title + "\"weight\" must be a number from -1e30 to 1e30, not 1e+31");
  EXPECT_EQ(lossMessage(dice + R"(, "resize_target": 1)"),
            title + "\"resize_target\" must be true or false, not 1");
  EXPECT_EQ(lossMessage(dice + R"(, "reduction": "sum")"),
            title + "\"reduction\": \"sum\" of dice needs \"per_image\": true; the batch has one ratio, "
                    "nothing to sum");
  EXPECT_EQ(lossMessage(dice + R"(, "reduction": "sum", "per_image": true)"), "");
  EXPECT_EQ(lossMessage(dice + R"(, "reduction": "max")"),
            title + "\"reduction\" cannot be 'max'; known are 'mean', 'sum'");
  EXPECT_EQ(lossMessage(dice + R"(, "eps": 0)"), "");
  EXPECT_EQ(lossMessage(dice + R"(, "eps": -1)"), title + "\"eps\" must be a number from 0 to 1e30, not -1");
  EXPECT_EQ(lossMessage(dice + R"(, "per_image": "yes")"),
            title + "\"per_image\" must be true or false, not the string 'yes'");
  EXPECT_EQ(
      lossMessage(dice + R"(, "ignore_index": 1e3)").find(title + "\"ignore_index\" must be an integer"), 0u);
}

TEST(Training, FieldsOfOtherLossTypesAreErrors) {
  auto message = [](const std::string &type, const std::string &field, const std::string &input = "up",
                    const std::string &target = "mask") {
    return lossMessage("\"type\": \"" + type + "\", \"input\": \"" + input + "\", \"target\": \"" + target +
                       "\", " + field);
  };
  const std::string ce = "loss 0 (cross_entropy of 'up'): ";
  EXPECT_EQ(message("cross_entropy", "\"gamma\": 2"),
            ce + "\"gamma\" goes with focal, not with cross_entropy");
  EXPECT_EQ(message("cross_entropy", "\"alpha\": 2"),
            ce + "\"alpha\" goes with focal, not with cross_entropy");
  EXPECT_EQ(message("cross_entropy", "\"eps\": 2"),
            ce + "\"eps\" goes with dice, soft_iou, not with cross_entropy");
  EXPECT_EQ(message("cross_entropy", "\"per_image\": true"),
            ce + "\"per_image\" goes with dice, soft_iou, not with cross_entropy");
  EXPECT_EQ(message("cross_entropy", "\"beta\": 1"),
            ce + "\"beta\" goes with smooth_l1, not with cross_entropy");
  EXPECT_EQ(message("cross_entropy", "\"pos_weight\": 1"),
            ce + "\"pos_weight\" goes with bce, not with cross_entropy");
  EXPECT_EQ(message("focal", "\"class_weights\": [1]"),
            "loss 0 (focal of 'up'): \"class_weights\" goes with cross_entropy, not with focal");
  EXPECT_EQ(message("l1", "\"ignore_index\": 1", "edge", "depth"),
            "loss 0 (l1 of 'edge'): \"ignore_index\" goes with cross_entropy, bce, focal, dice, soft_iou, "
            "not with l1");
  EXPECT_EQ(message("cross_entropy", "\"class_weights\": 1"),
            ce + "\"class_weights\" must be a list of at least one number");
  EXPECT_EQ(message("cross_entropy", "\"class_weights\": [1, -1]"),
            ce + "\"class_weights\" must be a number from 0 to 1e30, not -1");
  EXPECT_EQ(
      message("bce", "\"pos_weight\": \"atuo\"", "edge"),
      "loss 0 (bce of 'edge'): \"pos_weight\" must be a number above 0 or \"auto\", not the string 'atuo'");
  EXPECT_EQ(
      message("focal", "\"alpha\": \"x\""),
      "loss 0 (focal of 'up'): \"alpha\" must be a number from 0 on, or a list of them, not the string 'x'");
  EXPECT_EQ(message("focal", "\"gamma\": -1"),
            "loss 0 (focal of 'up'): \"gamma\" must be a number from 0 to 1e30, not -1");
  EXPECT_EQ(message("smooth_l1", "\"beta\": -2", "edge", "depth"),
            "loss 0 (smooth_l1 of 'edge'): \"beta\" must be a number from 0 to 1e30, not -2");
  EXPECT_EQ(message("bce", "\"reduction\": \"none\"", "edge"),
            "loss 0 (bce of 'edge'): \"reduction\" cannot be 'none'; known are 'mean', 'sum'");
}

TEST(Training, LossesAgreeOnTheIgnoredLabel) {
  auto message = [](const std::string &first, const std::string &second) {
    return sectionMessage(
        {{"losses", R"([{"type": "cross_entropy", "input": "up", "target": "mask")" + first +
                        R"(}, {"type": "dice", "input": "up", "target": "mask")" + second + "}]"}});
  };
  EXPECT_EQ(message(R"(, "ignore_index": 3)", R"(, "ignore_index": 3)"), "");
  EXPECT_EQ(
      message(R"(, "ignore_index": 3)", ""),
      "loss 1 (dice of 'up'): ignores the label 255 of 'mask', loss 0 (cross_entropy of 'up') the label 3; "
      "give both the same \"ignore_index\"");
}

TEST(Training, WrongListsAreErrors) {
  EXPECT_EQ(sectionMessage({{"loses", "[]"}}), "unknown field 'loses' of training; did you mean 'losses'?");
  EXPECT_EQ(sectionMessage({{"freeze", "\"enc\""}}),
            "\"freeze\" must be a list of name patterns, not the string 'enc'");
  EXPECT_EQ(sectionMessage({{"freeze", "[1]"}}),
            "\"freeze\" must be a list of name patterns like \"enc1.*\", not of 1");
  EXPECT_EQ(sectionMessage({{"freeze", "[\"\"]"}}), "a name pattern has 1 to 128 characters, '' has 0");
  EXPECT_EQ(sectionMessage({{"freeze", "[\"enc[\"]"}}).find("'enc[' is no name pattern (*, ?, [a-c]): "), 0u);
  EXPECT_EQ(sectionMessage({{"lr_scale", "[]"}}),
            "\"lr_scale\" must be an object of name patterns and factors, not an array");
  EXPECT_EQ(sectionMessage({{"lr_scale", "{\"enc\": -1}"}}),
            "\"enc\" must be a number from 0 to 1e30, not -1");
  EXPECT_EQ(sectionMessage({{"wrt", "\"image\""}}),
            "\"wrt\" must be a list of inputs, not the string 'image'");
  EXPECT_EQ(sectionMessage({{"wrt", "[\"imgae\"]"}}),
            "\"wrt\": there is no input 'imgae'; did you mean 'image'?");
  EXPECT_EQ(sectionMessage({{"wrt", "[\"mask\"]"}}), "\"wrt\": there is no input 'mask'; known are 'image'");
  EXPECT_EQ(sectionMessage({{"wrt", "[\"image\", \"image\"]"}}),
            "\"wrt\": the input 'image' is listed twice");
  EXPECT_EQ(sectionMessage({{"phases", "{}"}}),
            "\"phases\" must be a list of objects with \"freeze\", \"losses\" and \"steps\", not an object");
  EXPECT_EQ(sectionMessage({{"phases", "[3]"}}),
            "phase 0 must be an object with \"freeze\", \"losses\" or \"steps\", not 3");
  EXPECT_EQ(sectionMessage({{"phases", "[{}, {}]"}}), "phase 0: a phase needs \"steps\"");
  EXPECT_EQ(sectionMessage({{"phases", "[{\"step\": 3}, {}]"}}),
            "phase 0: unknown field 'step' of a phase; did you mean 'steps'?");
  EXPECT_EQ(sectionMessage({{"phases", "[{\"wrt\": [], \"steps\": 1}]"}})
                .find("phase 0: unknown field 'wrt' of a phase"),
            0u);
  EXPECT_EQ(sectionMessage({{"phases", R"([{"losses": [{"type": "dice", "input": "up"}], "steps": 1}])"}}),
            "phase 0, loss 0 (dice of 'up'): dice needs \"target\"");
  std::string many = "[\"enc\"";
  for (int i = 0; i < 256; ++i)
    many += ", \"enc\"";
  EXPECT_EQ(sectionMessage({{"freeze", many + "]"}}), "\"freeze\" has 257 entries; at most 256 are allowed");
}

TEST(Training, ErrorsSayWhere) {
  // Each member of the section stands on a line of its own, from line 18 on.
  EXPECT_EQ(sectionPlace({{"optimizer", R"({"type": "sgd", "lr": {"type": "poly", "steps": 0}})"}}), "20:64");
  EXPECT_EQ(sectionPlace({{"losses", R"([{"type": "dice", "input": "up", "target": "mask", "gamma": 1}])"}}),
            "19:64");
  EXPECT_EQ(sectionPlace({{"freeze", R"(["enc", 3])"}}), "21:21");
  EXPECT_EQ(sectionPlace({{"targets", R"([{"name": "mask", "shape": [8]}])"}}), "18:41");
}

} // namespace
