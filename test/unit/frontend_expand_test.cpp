/// \file Parameters, blocks, repetitions and names: each sentence of the description's section about them.
// SPDX-License-Identifier: MIT
#include "frontend_support.h"
#include <cstring>

using namespace segc;
using namespace segc::test;

namespace {

TEST(Params, ModelParamsAreVisibleEverywhereAndABlocksOwnShadowThem) {
  EXPECT_EQ(
      expand(R"({"block": "b", "name": "x", "w": 5}, {"op": "conv", "channels": "$w", "k": "$c"})", "conv0",
             R"("w": 1, "c": 2)",
             R"("b": {"params": {"w": null}, "layers": [{"op": "conv", "channels": "$w", "k": "$c"}]})"),
      "x.0 = conv(image) {channels: 5, k: 2}\nconv0 = conv(x.0) {channels: 1, k: 2}\n");
}

TEST(Params, SettingsReplaceDefaultsAndKeepTheirTypes) {
  EXPECT_EQ(expand(R"({"op": "o", "a": "$i", "b": "$s", "c": "$d", "e": "$t", "f": "$q", "g": "$x"})", "o0",
                   R"("i": 1, "s": "a", "d": null, "t": 0, "q": 0, "x": 0)", "",
                   {"i=7", "s=batch", "d=0.5", "t=true", "q=\"7\"", "x=3x3"}),
            "o0 = o(image) {a: 7, b: \"batch\", c: 0.5, e: true, f: \"7\", g: \"3x3\"}\n");
}

TEST(Params, BadSettingsAreErrors) {
  std::string text = describe(R"({"op": "o"})", "o0", R"("classes": 1, "width": 2)");
  EXPECT_EQ(firstMessage(text, {"clases=3"}),
            "-set:1:1: error: unknown parameter 'clases'; did you mean 'classes'?");
  EXPECT_EQ(firstMessage(text, {"classes"}), "-set:1:1: error: a setting is written name=value");
  EXPECT_EQ(firstMessage(text, {"=1"}), "-set:1:1: error: a setting is written name=value");
  EXPECT_EQ(firstMessage(text, {"classes=1", "classes=2"}),
            "-set:1:1: error: parameter 'classes' is set twice");
  EXPECT_EQ(firstMessage(text, {"classes=18446744073709551616"}),
            "-set:1:9: error: integer out of range; the largest is 9223372036854775807 (2^63-1)");
  EXPECT_EQ(firstMessage(text, {"classes=[1]"}),
            "-set:1:9: error: a parameter is set to a number, true, false or a string");
  EXPECT_EQ(firstMessage(text, {"classes=null"}),
            "-set:1:9: error: a parameter is set to a number, true, false or a string");
}

TEST(Params, ExpressionsKeepTypesAndComputeExactly) {
  EXPECT_EQ(
      expand(R"({"op": "o", "a": "$p", "b": "$p*2", "c": "$p/4", "d": "$p+1", "e": "$p-1", "f": "$p*-1"})",
             "o0", R"("p": 64)"),
      "o0 = o(image) {a: 64, b: 128, c: 16, d: 65, e: 63, f: -64}\n");
  EXPECT_EQ(expand(R"({"op": "o", "a": "$s", "b": "$f", "c": "$l", "d": "$t", "e": "$o"})", "o0",
                   R"("s": "same", "f": 0.5, "l": [1, 2], "t": false, "o": {"k": 1})"),
            "o0 = o(image) {a: \"same\", b: 0.5, c: [1, 2], d: false, e: {\"k\": 1}}\n");
}

TEST(Params, ExpressionsAreAllowedInAnyValue) {
  EXPECT_EQ(
      expand(R"({"name": "$n", "op": "$op", "kernel": ["$p", 1], "init": {"normal": "$f"}, "repeat": "$p-1",
                      "first": {"kernel": "$p"}})",
             "l", R"("n": "l", "op": "conv", "p": 3, "f": 0.1)"),
      "l.0 = conv(image) {init: {\"normal\": 0.1}, kernel: 3}\n"
      "l.1 = conv(l.0) {kernel: [3, 1], init: {\"normal\": 0.1}}\n");
  EXPECT_EQ(expand(R"({"name": "a", "op": "o"}, {"name": "x", "block": "$b", "inputs": ["$i"]})", "x",
                   R"("b": "blk", "i": "image")", R"("blk": {"layers": [{"op": "o"}]})"),
            "a = o(image) {}\nx.0 = o(image) {}\n");
  Parsed shaped(R"({"format": "segc-model/1", "name": "m", "params": {"s": 32},
    "inputs": [{"name": "i", "shape": ["?", 3, "$s", "$s*2"], "dtype": "u8"}], "layers": [{"op": "o"}],
    "outputs": ["o0"], "training": {"targets": [{"name": "t", "shape": ["?", "$s", "$s"]}],
    "losses": [{"type": "dice", "input": "o0", "target": "t"}], "optimizer": {"type": "sgd", "lr": "$s"}}})");
  ASSERT_TRUE(shaped.model) << shaped.messages;
  EXPECT_EQ(shaped.model->inputs[0].shape, (std::vector<int64_t>{kAnyExtent, 3, 32, 64}));
  EXPECT_EQ(shaped.model->training->optimizer.rate.base, 32);
  EXPECT_EQ(shaped.model->training->targets[0].shape, (std::vector<int64_t>{kAnyExtent, 32, 32}));
}

TEST(Params, DefaultsMayUseParametersBeforeThem) {
  EXPECT_EQ(expand(R"({"block": "b", "name": "x", "c": 4})", "x", R"("w": 8, "w2": "$w*2")",
                   R"("b": {"params": {"c": null, "mid": "$c*2", "w": "$w2/4"},
                            "layers": [{"op": "o", "a": "$mid", "b": "$w", "c": "$w2"}]})"),
            "x.0 = o(image) {a: 8, b: 4, c: 16}\n");
}

TEST(Params, BadExpressionsAreErrors) {
  auto message = [](const std::string &value, const std::string &params = R"("width": 5, "s": "x")") {
    return firstText(describe("{\"op\": \"o\", \"a\": \"" + value + "\"}", "o0", params));
  };
  EXPECT_EQ(message("$widht"), "layer 'o0': unknown parameter 'widht'; did you mean 'width'?");
  EXPECT_EQ(message("$width/2"), "layer 'o0': '$width/2': 5/2 is no integer; give 'width' a multiple of 2");
  EXPECT_EQ(message("$width/0"), "layer 'o0': '$width/0' divides by zero");
  EXPECT_EQ(message("$s*2"), "layer 'o0': '$s*2' computes with an integer, but 's' is the string 'x'");
  EXPECT_EQ(message("$width*9223372036854775807"),
            "layer 'o0': '$width*9223372036854775807' is out of the range of 64-bit integers");
  EXPECT_EQ(message("$width/-1", R"("width": -9223372036854775808)"),
            "layer 'o0': '$width/-1' is out of the range of 64-bit integers");
  for (const char *bad : {"$width*", "$width*1.5", "$width * 2", "$width*$width", "$width^2", "$width.x",
                          "$width*99999999999999999999", "$width++2"})
    EXPECT_NE(message(bad).find("is no parameter expression; write $p, $p*k"), std::string::npos) << bad;
  EXPECT_NE(message("$").find("unknown parameter ''"), std::string::npos);
}

TEST(Params, WithoutADefaultTheyMustBeGiven) {
  EXPECT_EQ(firstMessage(describe(R"({"op": "o"})", "o0", R"("classes": null)")),
            "m.json:1:52: error: parameter 'classes' has no default; give it with -set classes=<value>");
  EXPECT_EQ(firstMessage(describe(R"({"block": "b", "name": "x"})", "x", "",
                                  R"("b": {"params": {"c": null}, "layers": [{"op": "o"}]})")),
            "m.json:4:12: error: layer 'x': block 'b' needs its parameter 'c'");
}

TEST(Blocks, GiveTheirInputsAndTheirLastLayersValue) {
  EXPECT_EQ(expand(R"({"name": "a", "op": "o"}, {"name": "x", "block": "b"},
                      {"name": "y", "block": "b2", "inputs": ["a", "other"]}, {"name": "z", "op": "o"})",
                   "z", "",
                   R"("b": {"layers": [{"op": "p"}, {"op": "add", "inputs": ["$in", "0"]}]},
                      "b2": {"layers": [{"op": "p"}, {"op": "add", "inputs": ["$in.0", "$in.1", "0"]}]})"),
            "a = o(image) {}\nx.0 = p(a) {}\nx.1 = add(a, x.0) {}\n"
            "y.0 = p(a) {}\ny.1 = add(a, other, y.0) {}\nz = o(y.1) {}\n");
}

TEST(Blocks, MayUseBlocksButNotThemselves) {
  EXPECT_EQ(expand(R"({"name": "x", "block": "outer", "c": 3})", "x", "",
                   R"("inner": {"params": {"c": 1}, "layers": [{"op": "p", "c": "$c"}]},
                      "outer": {"params": {"c": null}, "layers": [{"block": "inner", "c": "$c*2"},
                                {"name": "n", "block": "inner"}, {"op": "add", "inputs": ["0", "n"]}]})"),
            "x.0.0 = p(image) {c: 6}\nx.n.0 = p(x.0.0) {c: 1}\nx.2 = add(x.0.0, x.n.0) {}\n");
  std::string line =
      firstText(describe(R"({"name": "x", "block": "a"})", "x", "",
                         R"("a": {"layers": [{"block": "b"}]}, "b": {"layers": [{"block": "c"}]},
                                              "c": {"layers": [{"block": "$p"}]})"));
  EXPECT_NE(line.find("unknown parameter 'p'"), std::string::npos);
  line = firstMessage(describe(R"({"name": "x", "block": "a"})", "x", R"("p": "b")",
                               R"("a": {"layers": [{"block": "b"}]}, "b": {"layers": [{"block": "c"}]},
                                  "c": {"layers": [{"block": "$p"}]})"));
  EXPECT_NE(line.find("layer 'x.0.0.0': block 'b' uses itself: b -> c -> b"), std::string::npos) << line;
}

TEST(Repeat, StacksAndTheBareNameMeansTheLast) {
  EXPECT_EQ(
      expand(
          R"({"name": "a", "op": "o", "repeat": 3, "input": "other"}, {"name": "x", "block": "b", "repeat": 2},
                      {"op": "add", "inputs": ["a", "a.0", "x", "x.0", "x.0.q"]})",
          "add0", "", R"("b": {"layers": [{"name": "q", "op": "p"}, {"op": "r"}]})"),
      "a.0 = o(other) {}\na.1 = o(a.0) {}\na.2 = o(a.1) {}\n"
      "x.0.q = p(a.2) {}\nx.0.1 = r(x.0.q) {}\nx.1.q = p(x.0.1) {}\nx.1.1 = r(x.1.q) {}\n"
      "add0 = add(a.2, a.0, x.1.1, x.0.1, x.0.q) {}\n");
}

TEST(Repeat, InputsHoldForTheFirstIterationAndFirstReplacesFields) {
  EXPECT_EQ(expand(R"({"name": "s", "block": "plain", "repeat": 2, "inputs": ["image", "other"], "c": 1,
                       "first": {"block": "start", "c": 2}})",
                   "s", "",
                   R"("plain": {"params": {"c": null}, "layers": [{"op": "p", "c": "$c"}]},
                      "start": {"params": {"c": null}, "layers": [{"op": "q", "c": "$c", "inputs": ["$in.1", "$in"]}]})"),
            "s.0.0 = q(other, image) {c: 2}\ns.1.0 = p(s.0.0) {c: 1}\n");
  EXPECT_EQ(expand(R"({"op": "o", "repeat": 1})", "o0"), "o0.0 = o(image) {}\n");
}

TEST(Repeat, CountsAreCheckedBeforeAnythingIsMade) {
  auto message = [](const std::string &count) {
    return firstText(describe("{\"op\": \"o\", \"repeat\": " + count + "}", "o0"));
  };
  EXPECT_EQ(message("1000000000"), "layer 'o0': repeating 1000000000 times gives more than 100000 layers");
  EXPECT_EQ(message("100001"), "layer 'o0': repeating 100001 times gives more than 100000 layers");
  EXPECT_EQ(message("9223372036854775807"),
            "layer 'o0': repeating 9223372036854775807 times gives more than 100000 layers");
  for (const char *bad : {"0", "-1", "1.5", "\"2\"", "null", "[2]"})
    EXPECT_EQ(message(bad).find("layer 'o0': \"repeat\" must be an integer from 1 on, not "), 0u) << bad;
  EXPECT_EQ(message("100000"), std::string());
  EXPECT_NE(firstMessage(describe(R"({"op": "o", "first": {}})", "o0")).find("only beside \"repeat\""),
            std::string::npos);
  EXPECT_NE(firstMessage(describe(R"({"op": "o", "repeat": 2, "first": {"name": "x"}})", "o0"))
                .find("\"first\" cannot replace \"name\""),
            std::string::npos);
}

TEST(Repeat, NestedRepetitionsCannotExplode) {
  std::string blocks = R"("b0": {"layers": [{"op": "o", "repeat": 1000}]})";
  for (int i = 1; i < 6; ++i)
    blocks += ", \"b" + std::to_string(i) + "\": {\"layers\": [{\"block\": \"b" + std::to_string(i - 1) +
              "\", \"repeat\": 1000}]}";
  EXPECT_NE(firstMessage(describe(R"({"block": "b5"})", "b50", "", blocks)).find("more than 100000 layers"),
            std::string::npos);
  // The same for long values that repetitions copy.
  std::string big = "[0";
  for (int i = 0; i < 1000; ++i)
    big += ",0";
  EXPECT_NE(firstMessage(describe(R"({"op": "o", "repeat": 100000, "a": "$p"})", "o0", "\"p\": " + big + "]"))
                .find("the expanded model has more than"),
            std::string::npos);
  std::string text(1 << 20, 'x');
  EXPECT_NE(
      firstMessage(describe(R"({"op": "o", "repeat": 100000, "a": "$p"})", "o0", "\"p\": \"" + text + "\""))
          .find("the expanded model has more than"),
      std::string::npos);
}

TEST(Names, DefaultInputsAndUnnamedLayers) {
  EXPECT_EQ(
      expand(R"({"op": "conv"}, {"op": "relu"}, {"op": "conv"}, {"name": "n", "op": "conv"}, {"op": "conv"},
                      {"block": "b"}, {"block": "b"})",
             "b1", "", R"("b": {"layers": [{"name": "q", "op": "p"}, {"op": "r"}]})"),
      "conv0 = conv(image) {}\nrelu0 = relu(conv0) {}\nconv1 = conv(relu0) {}\nn = conv(conv1) {}\n"
      "conv2 = conv(n) {}\nb0.q = p(conv2) {}\nb0.1 = r(b0.q) {}\nb1.q = p(b0.1) {}\nb1.1 = r(b1.q) {}\n");
}

TEST(Names, OwnLayersComeFirstThenFullNames) {
  EXPECT_EQ(
      expand(R"({"name": "body", "op": "o"}, {"name": "x", "block": "b"},
                      {"op": "add", "inputs": ["x.body", "x.tail", "body"]})",
             "add0", "",
             R"("b": {"layers": [{"name": "pre", "op": "p", "input": "image"}, {"name": "body", "op": "p"},
                            {"name": "tail", "op": "add", "inputs": ["body", "pre", "x.pre"]}]})"),
      "body = o(image) {}\nx.pre = p(image) {}\nx.body = p(x.pre) {}\n"
      "x.tail = add(x.body, x.pre, x.pre) {}\nadd0 = add(x.body, x.tail, body) {}\n");
}

TEST(Names, AsParametersAreResolvedWhereTheInstanceStands) {
  EXPECT_EQ(
      expand(
          R"({"name": "skip", "op": "o"}, {"name": "x", "block": "outer", "s": "skip", "l": ["skip", "image"]})",
          "x", "",
          R"("inner": {"params": {"a": null, "b": null, "l": null, "d": "skip"},
                        "layers": [{"name": "skip", "op": "i"},
                                   {"op": "cat", "inputs": ["$a", "$b", "skip", "$d"], "like": "$a"},
                                   {"op": "all", "inputs": "$l"}]},
                      "outer": {"params": {"s": null, "l": null},
                        "layers": [{"name": "skip", "op": "p"}, {"name": "y", "block": "inner", "a": "$s", "b": "skip", "l": "$l"},
                                   {"name": "z", "block": "inner", "a": "$in", "b": "y", "l": ["skip"]}]})"),
      "skip = o(image) {}\nx.skip = p(skip) {}\n"
      "x.y.skip = i(x.skip) {}\nx.y.1 = cat(skip, x.skip, x.y.skip, x.y.skip) {like: \"skip\"}\n"
      "x.y.2 = all(skip, image) {}\n"
      "x.z.skip = i(x.y.2) {}\nx.z.1 = cat(skip, x.y.2, x.z.skip, x.z.skip) {like: \"skip\"}\n"
      "x.z.2 = all(x.skip) {}\n");
}

TEST(Names, OnlyInputsAndEarlierLayersCanBeNamed) {
  auto message = [](const std::string &layers, const std::string &blocks = "") {
    return firstText(describe(layers, "a", "", blocks));
  };
  std::string later =
      " is not yet defined; only inputs and earlier layers can be named (cycles are not allowed)";
  EXPECT_EQ(message(R"({"name": "a", "op": "o", "input": "b"}, {"name": "b", "op": "o", "input": "a"})"),
            "layer 'a': 'b'" + later);
  EXPECT_EQ(message(R"({"name": "a", "op": "o", "input": "b.q.0"}, {"name": "b", "op": "o"})"),
            "layer 'a': 'b.q.0'" + later);
  EXPECT_EQ(message(R"({"name": "a", "op": "o", "input": "a"})"),
            "layer 'a': 'a' is not complete here: a layer cannot need itself (cycles are not allowed)");
  EXPECT_EQ(message(R"({"name": "a", "block": "k"})", R"("k": {"layers": [{"op": "o", "input": "a"}]})"),
            "layer 'a.0': 'a' is not complete here: a layer cannot need itself (cycles are not allowed)");
  // An own layer that comes later hides the outer one of that name.
  EXPECT_EQ(message(R"({"name": "t", "op": "o"}, {"name": "a", "block": "k"})",
                    R"("k": {"layers": [{"op": "o", "input": "t"}, {"name": "t", "op": "o"}]})"),
            "layer 'a.0': 't'" + later);
  EXPECT_EQ(message(R"({"name": "first", "op": "o"}, {"name": "a", "op": "o", "input": "frist"})"),
            "layer 'a': there is no layer or input 'frist'; did you mean 'first'?");
  EXPECT_EQ(message(R"({"name": "a", "op": "o", "input": "$in"})"),
            "layer 'a': $in stands for the input of a block instance; here there is none");
  EXPECT_EQ(message(R"({"name": "a", "block": "k"})", R"("k": {"layers": [{"op": "o", "input": "$in.1"}]})"),
            "layer 'a.0': '$in.1': 'a' is given 1 input(s); list more in the instance's \"inputs\"");
  EXPECT_EQ(message(R"({"name": "a", "block": "k"})", R"("k": {"layers": [{"op": "o", "input": "$in.x"}]})"),
            "layer 'a.0': '$in.x': write $in, $in.0, $in.1, ...");
}

TEST(Share, UsesTensorsOfTheSameNamedLayers) {
  std::string blocks = R"("k": {"layers": [{"name": "c", "op": "conv"}, {"name": "d", "op": "conv"}]})";
  EXPECT_EQ(
      expand(R"({"name": "a", "block": "k"}, {"name": "b", "block": "k", "share": "a"},
                      {"name": "c", "block": "k", "share": "b"}, {"name": "e", "op": "conv", "share": "c.d"})",
             "e", "", blocks),
      "a.c = conv(image) {}\na.d = conv(a.c) {}\nb.c = conv(a.d) {} share a.c\nb.d = conv(b.c) {} share a.d\n"
      "c.c = conv(b.d) {} share a.c\nc.d = conv(c.c) {} share a.d\ne = conv(c.d) {} share a.d\n");
  EXPECT_EQ(
      expand(
          R"({"name": "a", "op": "conv", "repeat": 2}, {"name": "b", "op": "conv", "repeat": 2, "share": "a"},
                      {"name": "c", "op": "conv", "repeat": 2, "share": "a.0"})",
          "c"),
      "a.0 = conv(image) {}\na.1 = conv(a.0) {}\nb.0 = conv(a.1) {} share a.0\nb.1 = conv(b.0) {} share a.1\n"
      "c.0 = conv(b.1) {} share a.0\nc.1 = conv(c.0) {} share a.0\n");
  auto message = [&](const std::string &last) {
    return firstText(
        describe(R"({"name": "a", "block": "k"}, {"name": "r", "op": "relu"}, )" + last, "z", "", blocks));
  };
  EXPECT_EQ(message(R"({"name": "z", "op": "conv", "share": "r"})"),
            "layer 'z': cannot share with 'r': 'r' is a relu, this is a conv");
  EXPECT_EQ(message(R"({"name": "z", "op": "conv", "share": "a"})"),
            "layer 'z': cannot share with 'a': 'a' is no single layer; name one of those inside of it");
  EXPECT_EQ(message(R"({"name": "z", "block": "k", "share": "r"})"),
            "layer 'z.c': cannot share with 'r': there is no layer 'r.c'");
  EXPECT_EQ(message(R"({"name": "z", "op": "conv", "share": "image"})"),
            "layer 'z': 'image' is an input and has no tensors to share");
  EXPECT_NE(message(R"({"name": "z", "op": "conv", "share": "z"})").find("is not complete here"),
            std::string::npos);
}

TEST(Model, LayersThatNoOutputNeedsAreKeptButNotLive) {
  Parsed parsed(
      describe(R"({"name": "a", "op": "maxpool"}, {"name": "b", "op": "o"}, {"name": "aux", "op": "o"},
                            {"name": "c", "op": "unpool", "input": "image", "pool": "a"})",
               "c"));
  ASSERT_TRUE(parsed.model) << parsed.messages;
  EXPECT_EQ(parsed.model->layers.size(), 4u);
  EXPECT_EQ(parsed.model->liveLayers(), (std::vector<bool>{true, false, false, true}));
  EXPECT_EQ(parsed.model->liveLayers({"aux"}), (std::vector<bool>{true, true, true, false}));
}

TEST(Model, InstancesAndRepetitionsCanBeFoundByName) {
  Parsed parsed(describe(R"({"name": "x", "block": "b", "repeat": 2})", "x", "",
                         R"("b": {"layers": [{"name": "q", "op": "p"}, {"op": "r"}]})"));
  ASSERT_TRUE(parsed.model) << parsed.messages;
  EXPECT_EQ(parsed.model->find("x")->name, "x.1.1");
  EXPECT_EQ(parsed.model->find("x.0")->name, "x.0.1");
  EXPECT_EQ(parsed.model->find("x.0.q")->op, "p");
  EXPECT_EQ(parsed.model->find("image"), nullptr);
  EXPECT_EQ(parsed.model->find("nothing"), nullptr);
  EXPECT_EQ(parsed.model->outputs[0].name, "x");
  EXPECT_EQ(parsed.model->outputs[0].producer, "x.1.1");
  const Layer &inner = *parsed.model->find("x.0.q");
  EXPECT_EQ(parsed.diagnostics.lineAndColumn(inner.loc).first, 3u);
  EXPECT_EQ(parsed.diagnostics.lineAndColumn(inner.instance).first, 4u);
}

TEST(Model, DescriptionsAreForPeople) {
  std::string text = describe(R"({"name": "x", "block": "b", "description": "$not a parameter"})", "x", "",
                              R"("b": {"description": "c", "layers": [{"op": "o", "description": "d"}]})");
  text.insert(1, R"("description": "a", )");
  Parsed parsed(text);
  ASSERT_TRUE(parsed.model) << parsed.messages;
  EXPECT_NE(parsed.printed().find("x.0 = o(image) {}"), std::string::npos);
  for (const char *place : {"\"a\"", "\"c\"", "\"d\"", "\"$not a parameter\""}) {
    std::string bad = text;
    bad.replace(bad.find(place), strlen(place), "7");
    EXPECT_EQ(firstText(bad), "\"description\" must be a string, not 7") << place;
  }
}

TEST(SlidingWindow, ExpandsItsLayersInAScopeOfTheirOwn) {
  EXPECT_EQ(
      expand(R"({"name": "a", "op": "o"}, {"name": "w", "op": "sliding_window", "window": "$n", "layers":
                        [{"op": "conv", "n": "$n"}, {"name": "k", "block": "b"}, {"op": "add", "inputs": ["$in", "0", "k"]}]},
                      {"op": "o"})",
             "o0", R"("n": 9)", R"("b": {"layers": [{"op": "p"}]})"),
      "a = o(image) {}\nw = sliding_window(a) {window: 9}\n  w.0 = conv($in) {n: 9}\n  w.k.0 = p(w.0) {}\n"
      "  w.2 = add($in, w.0, w.k.0) {}\no0 = o(w) {}\n");
  auto message = [](const std::string &layers) { return firstText(describe(layers, "z")); };
  EXPECT_NE(
      message(
          R"({"name": "a", "op": "o"}, {"name": "z", "op": "sliding_window", "layers": [{"op": "p", "input": "a"}]})")
          .find("layer 'z.0': 'a' lies outside of the window"),
      std::string::npos);
  EXPECT_NE(
      message(
          R"({"name": "w", "op": "sliding_window", "layers": [{"op": "p"}]}, {"name": "z", "op": "o", "input": "w.0"})")
          .find("'w.0' lies inside of a sliding_window"),
      std::string::npos);
  EXPECT_NE(
      message(R"({"name": "z", "op": "sliding_window", "layers": []})").find("array of at least one layer"),
      std::string::npos);
}

} // namespace
