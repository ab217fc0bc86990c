/// \file What is said about bad models, and that no text makes the frontend crash.
// SPDX-License-Identifier: MIT
#include "frontend_support.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>
#include <random>

using namespace segc;
using namespace segc::test;

namespace {

/// A description with one member replaced or, with an empty `value`, left out.
std::string modelWith(const std::string &key, const std::string &value) {
  std::vector<std::pair<std::string, std::string>> members = {
      {"format", R"("segc-model/1")"},
      {"name", R"("m")"},
      {"inputs", R"([{"name": "image", "shape": [1, 3, 8, 8], "dtype": "f32"}])"},
      {"layers", R"([{"name": "a", "op": "conv"}])"},
      {"outputs", R"(["a"])"}};
  std::string text = "{";
  bool found = false;
  for (auto &[known, plain] : members) {
    found |= known == key;
    if (known == key && value.empty())
      continue;
    text += (text.size() > 1 ? ",\n\"" : "\"") + known + "\": " + (known == key ? value : plain);
  }
  return text + (found ? "}" : ",\n\"" + key + "\": " + value + "}");
}

TEST(BadModel, TheBaseIsGood) { EXPECT_EQ(firstMessage(modelWith("blocks", "{}")), ""); }

TEST(BadModel, MissingAndUnknownTopLevelFields) {
  EXPECT_EQ(firstText(modelWith("format", "")), "the model needs \"format\", the string \"segc-model/1\"");
  EXPECT_EQ(firstText(modelWith("name", "")), "the model needs \"name\", a string");
  EXPECT_EQ(firstText(modelWith("inputs", "")), "the model needs \"inputs\", an array of at least one input");
  EXPECT_EQ(firstText(modelWith("layers", "")), "the model needs \"layers\", an array of at least one layer");
  EXPECT_EQ(firstText(modelWith("outputs", "")),
            "the model needs \"outputs\", an array of at least one layer name");
  EXPECT_EQ(firstMessage(modelWith("ouputs", "[]")),
            "m.json:6:1: error: unknown field 'ouputs' of a model; did you mean 'outputs'?");
  EXPECT_EQ(firstText(modelWith("format", "\"segc-model/2\"")),
            "unknown format 'segc-model/2'; write \"segc-model/1\"");
  EXPECT_EQ(firstText(modelWith("training", R"({"loses": []})")),
            "unknown field 'loses' of training; did you mean 'losses'?");
  EXPECT_EQ(firstText("[1]"), "a model must be an object, not an array");
}

TEST(BadModel, WrongTypes) {
  EXPECT_EQ(firstText(modelWith("name", "7")), "\"name\" must be a string, not 7");
  EXPECT_EQ(firstText(modelWith("inputs", "{}")),
            "\"inputs\" must be an array of at least one input, not an object");
  EXPECT_EQ(firstText(modelWith("inputs", "[3]")),
            "an input must be an object with \"name\", \"shape\" and \"dtype\"");
  EXPECT_EQ(firstText(modelWith("layers", "[]")),
            "\"layers\" is empty; it must be an array of at least one layer");
  EXPECT_EQ(firstMessage(modelWith("layers", "[true]")),
            "m.json:4:12: error: a layer must be an object, not true");
  EXPECT_EQ(firstText(modelWith("outputs", "[]")),
            "\"outputs\" is empty; it must be an array of at least one layer name");
  EXPECT_EQ(firstText(modelWith("outputs", "[1]")), "expected the name of a layer or input, not 1");
  EXPECT_EQ(firstText(modelWith("training", "[]")), "\"training\" must be an object, not an array");
  EXPECT_EQ(firstText(modelWith("params", "[]")),
            "\"params\" must be an object of names and defaults, not an array");
  EXPECT_EQ(firstText(modelWith("blocks", "[]")), "\"blocks\" must be an object of names and blocks");
  EXPECT_EQ(firstText(modelWith("blocks", R"({"b": 1})")),
            "block 'b' must be an object with \"params\" and \"layers\"");
  EXPECT_EQ(firstText(modelWith("blocks", R"({"b": {"layers": []}})")),
            "block 'b' needs \"layers\", an array of at least one");
  EXPECT_EQ(firstText(modelWith("blocks", R"({"b": {"layer": []}})")),
            "unknown field 'layer' of block 'b'; did you mean 'layers'?");
  EXPECT_EQ(firstText(modelWith("blocks", R"({"b": {"params": {"input": 1}, "layers": [{"op": "o"}]}})")),
            "a parameter cannot be called 'input'; that word has a meaning already");
  EXPECT_EQ(firstText(modelWith("params", R"({"in": 1})")),
            "a parameter cannot be called 'in'; that word has a meaning already");
  EXPECT_NE(firstText(modelWith("params", R"({"a.b": 1})")).find("'a.b' cannot name a parameter"),
            std::string::npos);
}

TEST(BadModel, Layers) {
  auto message = [](const std::string &layer) {
    return firstText(modelWith("layers", R"([{"name": "a", "op": "conv"}, )" + layer + "]"));
  };
  EXPECT_EQ(message(R"({"name": "b"})"), "layer 'b': a layer needs \"op\" or \"block\"");
  EXPECT_EQ(message(R"({})"), "a layer needs \"op\" or \"block\"");
  EXPECT_EQ(message(R"({"name": "b", "op": "conv", "block": "c"})"),
            "layer 'b': both \"op\" and \"block\"; keep one of the two");
  EXPECT_EQ(message(R"({"name": "b", "op": 3})"), "layer 'b': \"op\" must be a string, not 3");
  EXPECT_EQ(message(R"({"name": "b", "op": "o", "input": "a", "inputs": ["a"]})"),
            "layer 'b': both \"input\" and \"inputs\"; keep one of the two");
  EXPECT_EQ(message(R"({"name": "b", "op": "o", "input": ["a"]})"),
            "layer 'b': expected the name of a layer or input, not an array");
  EXPECT_EQ(message(R"({"name": "b", "op": "o", "inputs": "a"})"),
            "layer 'b': \"inputs\" must be an array of at least one name");
  EXPECT_EQ(message(R"({"name": "b", "op": "o", "inputs": []})"),
            "layer 'b': \"inputs\" must be an array of at least one name");
  EXPECT_EQ(message(R"({"name": "b", "op": "unpool", "pool": 2})"),
            "layer 'b': expected the name of a layer or input, not 2");
  EXPECT_EQ(message(R"({"name": "b", "block": "doubl"})"), "layer 'b': there is no block 'doubl'");
  EXPECT_EQ(message(R"({"name": "a", "op": "o"})"), "duplicate name 'a'; rename one of the two");
  EXPECT_EQ(message(R"({"name": "image", "op": "o"})"), "duplicate name 'image'; rename one of the two");
  Parsed twice(modelWith("layers", "[{\"name\": \"a\", \"op\": \"o\"},\n{\"name\": \"a\", \"op\": \"o\"}]"));
  EXPECT_NE(twice.messages.find("m.json:5:1: error: duplicate name 'a'"), std::string::npos)
      << twice.messages;
  EXPECT_NE(twice.messages.find("m.json:4:12: note: the other one is here"), std::string::npos)
      << twice.messages;
  EXPECT_EQ(firstText(describe(R"({"name": "x.0", "op": "o"}, {"name": "x", "block": "b"})", "x", "",
                               R"("b": {"layers": [{"op": "o"}]})")),
            "duplicate name 'x.0'; rename one of the two");
  EXPECT_EQ(firstText(describe(R"({"name": "x", "block": "b", "chanels": 1})", "x", "",
                               R"("b": {"params": {"channels": 1}, "layers": [{"op": "o"}]})")),
            "layer 'x': unknown field 'chanels' of block 'b'; did you mean 'channels'?");
  EXPECT_EQ(firstText(describe(R"({"name": "x", "op": "cnov"})", "x"), {}, {"add", "conv"}),
            "layer 'x': unknown op 'cnov'; did you mean 'conv'?");
}

TEST(BadModel, Outputs) {
  EXPECT_EQ(firstText(modelWith("outputs", R"(["logits"])")),
            "there is no layer or input 'logits'; known are 'a', 'image'");
  EXPECT_EQ(firstText(modelWith("outputs", R"(["image"])")),
            "output 'image' is an input; it must be a layer");
  EXPECT_EQ(firstText(modelWith("outputs", R"(["a", "a"])")), "output 'a' is listed twice");
  EXPECT_NE(
      firstText(modelWith("outputs", R"(["$in"])")).find("$in stands for the input of a block instance"),
      std::string::npos);
}

TEST(BadModel, NamesWithPathPartsAndTheLike) {
  std::string remedy = "names are [A-Za-z_][A-Za-z0-9_.]*, at most 128 bytes";
  for (std::string bad : {"../../x", "/etc/x", "a b", "a;system()", "", "0a", ".a", "a/b", "a\\\\b",
                          "*/ #include", "a-b", "\\u202ea", "a\\u0000b", "a\\nb"}) {
    std::string text = "\"" + bad + "\"";
    EXPECT_NE(firstText(modelWith("name", text)).find(remedy), std::string::npos) << bad;
    EXPECT_NE(firstText(modelWith("layers", "[{\"op\": \"o\", \"name\": " + text + "}]")).find(remedy),
              std::string::npos)
        << bad;
    EXPECT_NE(firstText(modelWith("inputs", "[{\"name\": " + text + ", \"shape\": [1]}]"))
                  .find("[A-Za-z_][A-Za-z0-9_.]*"),
              std::string::npos)
        << bad;
    EXPECT_NE(firstText(modelWith("blocks", "{" + text + ": {\"layers\": [{\"op\": \"o\"}]}}")).find(remedy),
              std::string::npos)
        << bad;
  }
  EXPECT_NE(firstText(modelWith("layers", R"([{"op": "../conv"}])")).find("'../conv' cannot name a layer"),
            std::string::npos);
  auto named = [](size_t length, const std::string &more) {
    std::string name = "\"" + std::string(length, 'n') + "\"";
    return firstText(modelWith("layers", "[{\"op\": \"o\", \"name\": " + name + more +
                                             "}, {\"name\": \"a\", \"op\": \"o\"}]"));
  };
  EXPECT_EQ(named(128, ""), "");
  EXPECT_NE(named(129, "").find("at most 128 bytes"), std::string::npos);
  EXPECT_EQ(named(126, ", \"repeat\": 10"), "");
  EXPECT_NE(named(126, ", \"repeat\": 11").find("has 129 bytes, instances included"), std::string::npos);
  EXPECT_LT(named(1 << 20, "").size(), 300u);
}

TEST(BadModel, InputShapes) {
  auto message = [](const std::string &shape) {
    return firstText(modelWith("inputs", R"([{"name": "image", "shape": )" + shape + "}]"));
  };
  EXPECT_EQ(message(R"(["?", 3, "?", "?"])"), "");
  EXPECT_EQ(message("[1, 1, 16777216, 100]"), "");
  EXPECT_EQ(message("[1, 1, 16777217, 1]"),
            "an extent must be an integer from 1 to 16777216 or \"?\", not 16777217");
  EXPECT_EQ(message("[1, 128, 16777216, 1]"), "input 'image' has more than 2147483647 elements");
  EXPECT_EQ(message("[16777216, 16777216, 16777216, 16777216]"),
            "input 'image' has more than 2147483647 elements");
  EXPECT_NE(message(R"([1, "?", 8, 8])").find("the number of channels is always known"), std::string::npos);
  for (const char *bad : {"[1, 3, 0, 8]", "[1, 3, -1, 8]", "[1, 3, 8.5, 8]", "[1, 3, \"x\", 8]",
                          "[1, 3, null, 8]", "[1, 3, true, 8]"})
    EXPECT_EQ(message(bad).find("an extent must be an integer from 1 to 16777216"), 0u) << bad;
  for (const char *bad : {"[]", "[1, 2, 3, 4, 5]", "8", "\"?\""})
    EXPECT_EQ(message(bad), "input 'image' needs a \"shape\" of one to four extents, [N, C, H, W]") << bad;
  EXPECT_EQ(firstText(modelWith("inputs", R"([{"name": "i", "shape": [1, 3, 8, 8], "dtype": "f64"}])"))
                .find("\"dtype\" cannot be the string 'f64'"),
            0u);
  EXPECT_NE(firstText(modelWith("inputs", R"([{"name": "i", "shape": [1, 3, 8, 8], "dtype": 32}])"))
                .find("\"dtype\" cannot be 32"),
            std::string::npos);
  EXPECT_EQ(firstText(modelWith("inputs", R"([{"name": "i", "shap": [1, 3, 8, 8]}])")),
            "unknown field 'shap' of an input; did you mean 'shape'?");
  EXPECT_EQ(firstText(modelWith("inputs", R"([{"name": "i", "shape": [1]}, {"name": "i", "shape": [1]}])")),
            "duplicate name 'i'; rename one of the two");
}

TEST(BadModel, BlocksNestedTooDeep) {
  auto chain = [](int depth) {
    std::string blocks = R"("b0": {"layers": [{"op": "o"}]})";
    for (int i = 1; i < depth; ++i)
      blocks +=
          ", \"b" + std::to_string(i) + "\": {\"layers\": [{\"block\": \"b" + std::to_string(i - 1) + "\"}]}";
    return firstText(
        describe("{\"name\": \"x\", \"block\": \"b" + std::to_string(depth - 1) + "\"}", "x", "", blocks));
  };
  EXPECT_EQ(chain(60), "");
  EXPECT_NE(chain(64).find("bytes, instances included"), std::string::npos); // names are the tighter limit
  EXPECT_NE(chain(100000), "");
}

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

TEST(Models, EveryExampleExpands) {
  std::error_code error;
  int count = 0;
  for (llvm::sys::fs::directory_iterator it(SEGC_MODELS, error), end; it != end && !error;
       it.increment(error)) {
    if (!llvm::StringRef(it->path()).ends_with(".json")) // the folder of blocks
      continue;
    Parsed parsed(readFile(it->path()), {}, {}, {SEGC_MODELS, ""});
    EXPECT_TRUE(parsed.model) << it->path() << "\n" << parsed.messages;
    ++count;
  }
  EXPECT_GE(count, 20);
  Parsed unet(readFile(std::string(SEGC_MODELS) + "/unet.json"), {"width=8"});
  ASSERT_TRUE(unet.model) << unet.messages;
  EXPECT_EQ(unet.model->layers.size(), 31u);
  EXPECT_NE(unet.printed().find("dec1.concat = concat(enc1.conv.1, dec1.deconv) {}"), std::string::npos)
      << unet.printed();
  EXPECT_NE(unet.printed().find("bottom.convs.conv.0 = conv(bottom.pool) {channels: 128,"),
            std::string::npos);
}

TEST(Models, ATextHasNoFolderToIncludeFrom) {
  EXPECT_EQ(firstText(modelWith("include", R"(["blocks/resnet.json"])")),
            "only a model that was read from a file can include others");
}

TEST(Models, EveryBadCaseIsRejectedWhereItIsBad) {
  const std::map<std::string, std::string> expected = {
      {"cycle", "6:52: error: layer 'a': 'out' is not yet defined"},
      {"duplicate-key", "6:50: error: duplicate key 'channels'"},
      {"duplicate-name", "7:5: error: duplicate name 'out'"},
      {"empty-layers", "5:13: error: \"layers\" is empty"},
      {"integer-out-of-range", "6:47: error: integer out of range"},
      {"missing-input", "7:44: error: layer 'out': there is no layer or input 'b'"},
      {"missing-output", "8:15: error: there is no layer or input 'logits'"},
      {"path-in-name", "6:14: error: '../../out' cannot name a layer"},
      {"recursive-block", "7:32: error: layer 'out.0.0': block 'a' uses itself: a -> b -> a"},
      {"repeat-billion", "6:73: error: layer 'out': repeating 1000000000 times"},
      {"too-deep", "1:65: error: nested more than 64 deep"},
      {"truncated", "6:1: error: JSON syntax error"},
      {"unknown-block", "9:30: error: layer 'out': there is no block 'dobule'; did you mean 'double'?"},
      {"unknown-block-field",
       "9:40: error: layer 'out': unknown field 'chanels' of block 'double'; did you mean"},
      {"unknown-parameter", "7:47: error: layer 'out': unknown parameter 'clases'; did you mean 'classes'?"},
      {"unknown-top-level", "5:3: error: unknown field 'layer' of a model; did you mean 'layers'?"},
      {"zero-extent", "4:48: error: an extent must be an integer from 1 to 16777216"},
  };
  for (const auto &[name, text] : expected) {
    std::string message = firstMessage(readFile(std::string(SEGC_FRONTEND_CASES) + "/" + name + ".json"));
    EXPECT_EQ(message.find("m.json:" + text), 0u) << name << ": " << message;
  }
}

TEST(Models, NoTruncationAndNoFlippedBytesCrash) {
  std::string good = readFile(std::string(SEGC_MODELS) + "/segnet.json");
  ASSERT_TRUE(Parsed(good).model);
  size_t last = good.find_last_of('}');
  for (size_t length = 0; length <= last; ++length) {
    Parsed parsed(llvm::StringRef(good).take_front(length));
    EXPECT_FALSE(parsed.model);
    EXPECT_EQ(parsed.messages.find("m.json:"), 0u);
  }
  std::mt19937 random(1);
  int rejected = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      char &byte = text[random() % text.size()];
      // Structural bytes and digits break more than arbitrary ones.
      byte = random() % 2 ? static_cast<char>(random()) : "{}[]\",:$*/.-0123456789e"[random() % 23];
    }
    Parsed parsed(text);
    EXPECT_EQ(parsed.model.has_value(), parsed.messages.empty()) << text;
    rejected += !parsed.model;
  }
  EXPECT_GT(rejected, 2000);
}

} // namespace
