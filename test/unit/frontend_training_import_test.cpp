/// \file What the training section imports: arguments, losses, which weights learn; and that no text crashes
/// it.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "frontend_training_support.h"
#include <random>

using namespace mlir;
using namespace segc;
using namespace segc::test;

namespace {

class TrainingImport : public ::testing::Test {
protected:
  MLIRContext context{MLIRContext::Threading::DISABLED};

  /// What is said when the model is imported for training.
  std::string message(const Members &replaced, int phase = -1) {
    Trained trained(trainingModel(replaced), context, phase);
    EXPECT_EQ(!trained.module, trained.parsed.diagnostics.errorCount() > 0);
    return trained.message();
  }
  /// The names of the weights that learn, with their scales.
  std::string trainable(const Members &replaced, int phase = -1) {
    Trained trained(trainingModel(replaced), context, phase);
    if (!trained.module)
      return trained.parsed.messages;
    std::string text;
    trained.main().walk([&](hg::WeightOp weight) {
      if (!weight.getTrainable())
        return;
      text += (text.empty() ? "" : " ") + weight.getName().str();
      if (weight.getLrScale())
        text += "*" + std::to_string(int(weight.getLrScale()->convertToDouble()));
    });
    return text;
  }
  /// The layers whose norms are frozen.
  std::string frozenNorms(const Members &replaced, int phase = -1) {
    Trained trained(trainingModel(replaced), context, phase);
    std::string text;
    if (trained.module)
      trained.main().walk(
          [&](hg::NormOp norm) { text += norm.getFrozen() ? hg::layerName(norm.getLoc()) + " " : ""; });
    return text;
  }
};

/// Losses on `input` with more fields.
std::string loss(const std::string &type, const std::string &input, const std::string &target,
                 const std::string &more = "") {
  return "{\"type\": \"" + type + "\", \"input\": \"" + input + "\", \"target\": \"" + target + "\"" +
         (more.empty() ? "" : ", " + more) + "}";
}

TEST_F(TrainingImport, ArgumentsAreInputsThenTargets) {
  Trained trained(trainingModel({{"losses", "[" + loss("cross_entropy", "up", "mask", "\"ignore_index\": 7") +
                                                ", " + loss("l1", "edge", "depth") + "]"}}),
                  context);
  ASSERT_TRUE(trained.module) << trained.parsed.messages;
  func::FuncOp main = trained.main();
  ASSERT_EQ(main.getNumArguments(), 4u);
  auto name = [&](unsigned i) { return main.getArgAttrOfType<StringAttr>(i, "hourglass.name").str(); };
  EXPECT_EQ(name(0) + " " + name(1) + " " + name(2) + " " + name(3), "image mask borders depth");
  EXPECT_FALSE(main.getArgAttr(0, "hourglass.target"));
  EXPECT_TRUE(main.getArgAttr(1, "hourglass.target") && main.getArgAttr(3, "hourglass.target"));
  EXPECT_TRUE(main.getArgAttr(1, "hourglass.rank3") && !main.getArgAttr(3, "hourglass.rank3"));
  EXPECT_EQ(main.getArgAttrOfType<TypeAttr>(1, "hourglass.dtype").getValue(), IntegerType::get(&context, 32));
  EXPECT_EQ(cast<RankedTensorType>(main.getArgumentTypes()[1]).getShape(), ArrayRef<int64_t>({2, 1, 8, 8}));
  EXPECT_EQ(main.getArgAttrOfType<IntegerAttr>(1, "hourglass.classes").getInt(), 3);
  EXPECT_EQ(main.getArgAttrOfType<IntegerAttr>(1, "hourglass.ignore").getInt(), 7);
  EXPECT_FALSE(main.getArgAttr(3, "hourglass.classes"));
  ASSERT_EQ(main.getNumResults(), 1u);
  EXPECT_EQ(main.getResultAttrOfType<StringAttr>(0, "hourglass.name"), "loss");
  auto names = main.getResultAttrOfType<ArrayAttr>(0, "hourglass.losses");
  EXPECT_EQ(cast<StringAttr>(names[0]).str() + " " + cast<StringAttr>(names[1]).str(),
            "cross_entropy:up l1:edge");
}

TEST_F(TrainingImport, MasksOfOneChannelHaveNoClasses) {
  Trained trained(trainingModel({{"losses", "[" + loss("focal", "edge", "mask") + "]"}}), context);
  ASSERT_TRUE(trained.module) << trained.parsed.messages;
  EXPECT_FALSE(trained.main().getArgAttr(1, "hourglass.classes"));
}

TEST_F(TrainingImport, OnlyWhatLossesNeedIsImported) {
  Trained trained(
      trainingModel({{"losses", "[" + loss("dice", "aux", "mask", "\"resize_target\": true") + "]"}}),
      context);
  ASSERT_TRUE(trained.module) << trained.parsed.messages;
  int convs = 0;
  trained.main().walk([&](hg::ConvOp) { ++convs; });
  EXPECT_EQ(convs, 2); // enc and aux, neither edge nor up
  EXPECT_EQ(trainable({}),
            "enc.weight enc.norm.weight enc.norm.bias up.0.weight up.0.norm.weight up.0.norm.bias "
            "up.1.weight up.1.bias");
}

TEST_F(TrainingImport, WithoutTrainingNothingChanges) {
  std::string with, without;
  for (auto [text, section] : {std::pair(&with, true), std::pair(&without, false)}) {
    std::string model = trainingModel({{"freeze", "[\"enc\"]"}});
    if (!section)
      model = model.substr(0, model.find(",\n\"training\"")) + "}";
    Trained trained(model, context, -1, /*training=*/false);
    ASSERT_TRUE(trained.module) << trained.parsed.messages;
    llvm::raw_string_ostream os(*text);
    trained.module->print(os, OpPrintingFlags().enableDebugInfo());
  }
  EXPECT_EQ(with, without);
  EXPECT_EQ(with.find("trainable"), std::string::npos);
}

TEST_F(TrainingImport, FreezeKeepsWeightsAndNorms) {
  const std::string rest = "up.0.weight up.0.norm.weight up.0.norm.bias up.1.weight up.1.bias";
  for (const char *pattern : {"enc", "enc*", "enc.*", "e?c", "[a-f]nc"}) {
    Members members = {{"freeze", "[\"" + std::string(pattern) + "\"]"}};
    EXPECT_EQ(trainable(members), rest) << pattern;
    EXPECT_EQ(frozenNorms(members), "enc ") << pattern;
  }
  EXPECT_EQ(trainable({{"freeze", "[\"enc.weight\"]"}}), "enc.norm.weight enc.norm.bias " + rest);
  EXPECT_EQ(frozenNorms({{"freeze", "[\"enc.weight\"]"}}), "");
  EXPECT_EQ(trainable({{"freeze", "[\"*.norm.running_mean\"]"}}),
            "enc.weight up.0.weight up.1.weight up.1.bias");
  EXPECT_EQ(frozenNorms({{"freeze", "[\"*.norm\"]"}}), "enc up.0 ");
  EXPECT_EQ(trainable({{"freeze", "[\"up\", \"enc.weight\"]"}}), "enc.norm.weight enc.norm.bias");
}

TEST_F(TrainingImport, FrozenNormsOfTheModelDoNotLearn) {
  std::string model = trainingModel();
  size_t norm = model.find("\"norm\": \"batch\"", model.find("\"enc\""));
  model.replace(norm, 15, R"("norm": {"type": "batch", "frozen": true})");
  Trained trained(model, context);
  ASSERT_TRUE(trained.module) << trained.parsed.messages;
  trained.main().walk([&](hg::WeightOp weight) {
    bool ofNorm = weight.getName().starts_with("enc.norm.");
    EXPECT_EQ(weight.getTrainable(), !ofNorm && !weight.getName().contains("running"))
        << weight.getName().str();
  });
}

TEST_F(TrainingImport, RateScalesMultiply) {
  EXPECT_EQ(trainable({{"lr_scale", R"({"up": 10, "up.1.*": 3, "*.running_var": 2})"}}),
            "enc.weight enc.norm.weight enc.norm.bias up.0.weight*10 up.0.norm.weight*10 up.0.norm.bias*10 "
            "up.1.weight*30 up.1.bias*30");
}

TEST_F(TrainingImport, PhasesReplaceFreezeAndLosses) {
  Members members = {{"freeze", "[\"enc\"]"},
                     {"phases", "[{\"freeze\": [\"up\"], \"steps\": 1}, {\"losses\": [" +
                                    loss("dice", "edge", "mask") + "], \"steps\": 1}]"}};
  EXPECT_EQ(trainable(members), "up.0.weight up.0.norm.weight up.0.norm.bias up.1.weight up.1.bias");
  EXPECT_EQ(trainable(members, 0), "enc.weight enc.norm.weight enc.norm.bias");
  EXPECT_EQ(trainable(members, 1), "edge.weight edge.bias");
  EXPECT_EQ(message(members, 2), "there is no phase 2: \"training\" has 2 (counted from 0)");
  EXPECT_EQ(message({}, 0), "there is no phase 0: \"training\" has no \"phases\"");
}

TEST_F(TrainingImport, PatternsMustMatch) {
  const std::string text = "the pattern 'encc.*' matches no tensor; did you mean 'enc'?";
  EXPECT_EQ(message({{"freeze", "[\"encc.*\"]"}}), text);
  EXPECT_EQ(message({{"lr_scale", "{\"encc.*\": 2}"}}), text);
  EXPECT_EQ(message({{"phases", "[{\"freeze\": [\"encc.*\"]}]"}}), text);
  EXPECT_EQ(message({{"freeze", "[\"enc.wieght\"]"}}),
            "the pattern 'enc.wieght' matches no tensor; did you mean 'enc.weight'?");
  EXPECT_EQ(
      message({{"freeze", "[\"pool\"]"}}).find("the pattern 'pool' matches no tensor; the nearest is '"), 0u);
  // Tensors of layers that this training does not need exist all the same.
  EXPECT_EQ(message({{"freeze", "[\"aux\", \"edge.bias\"]"}}), "");
  // For inference the patterns are checked too.
  Trained inferred(trainingModel({{"freeze", "[\"encc.*\"]"}}), context, -1, /*training=*/false);
  EXPECT_FALSE(inferred.module);
  EXPECT_EQ(inferred.message(), text);
}

TEST_F(TrainingImport, SomethingMustLearn) {
  EXPECT_EQ(
      message({{"freeze", "[\"*\"]"}}),
      "nothing is trainable: every weight that a loss depends on is frozen, or there is none; free some, or "
      "list an input in \"wrt\"");
  EXPECT_EQ(message({{"freeze", "[\"*\"]"}, {"wrt", "[\"image\"]"}}), "");
  std::string model = trainingModel();
  Trained none(model.substr(0, model.find(",\n\"training\"")) + "}", context);
  EXPECT_EQ(none.message(), "model 'm' has no \"training\" section; add one with \"targets\", \"losses\" and "
                            "\"optimizer\" to train it");
}

TEST_F(TrainingImport, WrtNamesInputsThatLossesDependOn) {
  std::string model = trainingModel({{"wrt", "[\"other\"]"}});
  model.replace(model.find("\"inputs\": ["), 11, R"("inputs": [{"name": "other", "shape": [2, 3, 8, 8]},)");
  model.replace(model.find("\"op\": \"conv\"", model.find("\"enc\"")), 12,
                R"("op": "conv", "input": "image")");
  EXPECT_EQ(Trained(model, context).message(), "\"wrt\": no loss depends on the input 'other'");
}

TEST_F(TrainingImport, ShapesOfLossesAreChecked) {
  auto of = [&](const std::string &text) { return message({{"losses", "[" + text + "]"}}); };
  EXPECT_EQ(
      of(loss("cross_entropy", "edge", "mask")),
      "loss 0 (cross_entropy of 'edge'): needs an input of at least 2 channels, this one has 1; bce judges "
      "single channels");
  EXPECT_EQ(of(loss("cross_entropy", "up", "mask", "\"class_weights\": [1, 2]")),
            "loss 0 (cross_entropy of 'up'): \"class_weights\" has 2 numbers, the input has 3 channels");
  EXPECT_EQ(of(loss("focal", "up", "mask", "\"alpha\": [1, 2]")),
            "loss 0 (focal of 'up'): \"alpha\" has 2 numbers, the input has 3 channels");
  EXPECT_EQ(of(loss("focal", "edge", "mask", "\"alpha\": 1.5")),
            "loss 0 (focal of 'edge'): \"alpha\" must be at most 1 where the input has one channel");
  EXPECT_EQ(of(loss("focal", "up", "mask", "\"alpha\": [1, 2, 3]")), "");
  EXPECT_EQ(
      of(loss("dice", "aux", "mask")),
      "loss 0 (dice of 'aux'): the target's height must fit the loss's input (8 and 4); \"resize_target\": "
      "true would resize it");
  EXPECT_EQ(of(loss("dice", "aux", "mask", R"("resize_target": true, "pixel_weight": "borders")")), "");
  EXPECT_EQ(
      of(loss("mse", "up", "mask")),
      "loss 0 (mse of 'up'): the target must have the extents [N, 3, H, W], those of the loss's input; here "
      "are 1 channels");
  EXPECT_EQ(of(loss("bce", "edge", "mask")), "");
  EXPECT_EQ(of(loss("bce", "edge", "depth")), "");
  EXPECT_EQ(of(loss("dice", "classes", "mask")),
            "loss 0 (dice of 'classes'): 'classes' is an argmax, which has no gradient");
  Members batch = {
      {"targets", R"([{"name": "mask", "shape": [3, 8, 8]}, {"name": "w", "shape": [2, 2, 8, 8]}])"}};
  EXPECT_EQ(message(batch),
            "loss 0 (cross_entropy of 'up'): the target's batch must fit the loss's input (3 and 2)");
  batch["losses"] = "[" + loss("dice", "up", "w") + "]";
  EXPECT_EQ(message(batch),
            "loss 0 (dice of 'up'): the target must have the extents [N, H, W], one number a pixel; "
            "here are 2 channels");
  Members open = {{"targets", R"([{"name": "mask", "shape": ["?", "?", "?"]}])"}};
  EXPECT_EQ(message(open), "");
}

TEST_F(TrainingImport, ErrorsOfLossesSayWhere) {
  Trained trained(trainingModel({{"losses", "[" + loss("dice", "up", "mask") + ", " +
                                                loss("dice", "aux", "mask") + "]"}}),
                  context);
  EXPECT_EQ(trained.parsed.messages.find("m.json:19:65: error: loss 1 (dice of 'aux'): "), 0u)
      << trained.parsed.messages;
}

TEST_F(TrainingImport, NormsThatShareStatisticsAreFrozenTogether) {
  auto shared = [&](const std::string &frozen) {
    std::string model = trainingModel({{"losses", "[" + loss("dice", "twin", "mask") + "]"}});
    model.replace(
        model.find("  {\"name\": \"pool\""), 2,
        "{\"name\": \"again\", \"op\": \"conv\", \"channels\": 4, \"kernel\": 3, \"padding\": \"same\", "
        "\"norm\": {\"type\": \"batch\"" +
            frozen +
            "}, \"input\": \"image\", \"share\": \"enc\"}, {\"name\": \"twin\", \"op\": \"concat\", " +
            "\"inputs\": [\"enc\", \"again\"]}, {\"name\": \"back\", \"op\": \"activation\", \"type\": "
            "\"relu\", \"input\": \"enc\"},");
    return model;
  };
  Trained both(shared(""), context);
  ASSERT_TRUE(both.module) << both.parsed.messages;
  int learning = 0;
  both.main().walk([&](hg::WeightOp weight) { learning += weight.getTrainable(); });
  EXPECT_EQ(learning, 3); // once each: weight, norm.weight, norm.bias
  EXPECT_EQ(Trained(shared(", \"frozen\": true"), context).message(),
            "layer 'again': shares its tensors with 'enc', but only one of the two norms is frozen");
}

/// The places of all strings, numbers and literals of a JSON text from `start` on.
std::vector<std::pair<size_t, size_t>> tokens(const std::string &text, size_t start) {
  std::vector<std::pair<size_t, size_t>> found;
  for (size_t at = start; at < text.size(); ++at) {
    size_t end = text[at] == '"' ? text.find('"', at + 1) + 1
                                 : std::min(text.find_first_of(" ,:{}[]\n", at), text.size());
    if (end > at)
      found.emplace_back(at, end - at);
    at = std::max(at, end - 1);
  }
  return found;
}

TEST_F(TrainingImport, NoMutationOfTheSectionCrashes) {
  // Everything the section can say, on the network that the other tests use.
  std::string good = trainingModel({{"losses", R"([{"type": "cross_entropy", "input": "up", "target": "mask",
      "pixel_weight": "borders", "class_weights": [1, 2, 0.5], "ignore_index": 9},
      {"type": "focal", "input": "aux", "target": "mask", "resize_target": true, "alpha": [1, 2, 3], "ignore_index": 9},
      {"type": "bce", "input": "edge", "target": "depth", "pos_weight": "auto", "reduction": "sum"}])"},
                                    {"freeze", R"(["enc.*", "*.running_mean"])"},
                                    {"lr_scale", R"({"up": 10, "*.bias": 2})"},
                                    {"wrt", R"(["image"])"},
                                    {"phases", R"([{"freeze": [], "steps": 3}, {"losses": [{"type": "dice",
      "input": "up", "target": "mask", "per_image": true, "eps": 0.5}]}])"},
                                    {"optimizer", R"({"type": "adamw", "betas": [0.9, 0.99], "clip_norm": 1,
      "lr": {"type": "step", "base": 0.1, "milestones": [5, 9], "warmup": 2}, "ema": 0.99})"}});
  ASSERT_TRUE(Trained(good, context).module);
  size_t section = good.find("\"training\"");
  auto words = tokens(good, section);
  std::mt19937 random(1);
  int rejected = 0, imported = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    // Most bytes break the syntax; a word in another's place gets further.
    for (unsigned flips = 1 + random() % 2; i % 2 && flips > 0; --flips) {
      char &byte = text[section + random() % (text.size() - section)];
      byte = random() % 2 ? static_cast<char>(random()) : "{}[]\",:$*?.-0123456789e"[random() % 23];
    }
    if (i % 2 == 0) {
      auto [from, length] = words[random() % words.size()];
      auto [to, room] = words[random() % words.size()];
      text.replace(to, room, good.substr(from, length));
    }
    Trained trained(text, context, static_cast<int>(random() % 4) - 1);
    EXPECT_EQ(!trained.module, !trained.parsed.messages.empty()) << text << trained.parsed.messages;
    rejected += !trained.parsed.model;
    imported += static_cast<bool>(trained.module);
  }
  EXPECT_GT(rejected, 1000);
  EXPECT_GT(imported, 50);
}

} // namespace
