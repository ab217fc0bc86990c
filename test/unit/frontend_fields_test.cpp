/// \file Typed access to a layer's fields: values, ranges, and fields that nobody knows.
// SPDX-License-Identifier: MIT
#include "frontend_support.h"

using namespace segc;
using namespace segc::test;

namespace {

/// The fields of one conv layer `l`.
struct Conv {
  Parsed parsed;
  Fields fields;
  explicit Conv(const std::string &members)
      : parsed(describe("{\"name\": \"l\", \"op\": \"conv\"" + (members.empty() ? "" : ", " + members) + "}",
                        "l")),
        fields(parsed.model->layers[0], parsed.diagnostics) {}
  std::string message() const {
    size_t error = parsed.messages.find("error: ");
    return error == std::string::npos
               ? ""
               : parsed.messages.substr(error + 7, parsed.messages.find('\n') - error - 7);
  }
};

TEST(Fields, Integers) {
  Conv conv(R"("a": 3, "b": 4, "c": 3.0, "d": -1)");
  EXPECT_EQ(*conv.fields.getInt("a", std::nullopt, 1, 3), 3);
  EXPECT_EQ(*conv.fields.getInt("x", 7, 1, 3), 7);
  EXPECT_TRUE(failed(conv.fields.getInt("b", 1, 1, 3)));
  EXPECT_EQ(conv.message(), "layer 'l': \"b\" must be an integer from 1 to 3, not 4");
  EXPECT_TRUE(failed(conv.fields.getInt("c", 1, 1, 3)));
  EXPECT_TRUE(failed(conv.fields.getInt("d", 1, 0, 3)));
  Conv missing("");
  EXPECT_TRUE(failed(missing.fields.getInt("channels", std::nullopt, 1, 3)));
  EXPECT_EQ(missing.message(), "layer 'l': conv needs \"channels\"");
}

TEST(Fields, Pairs) {
  using Pair = Fields::Pair;
  Conv conv(R"("a": 3, "b": [1, 2], "c": [1], "d": [1, 9], "e": "x")");
  EXPECT_EQ(*conv.fields.getPair("a", std::nullopt, 1, 3), (Pair{3, 3}));
  EXPECT_EQ(*conv.fields.getPair("b", std::nullopt, 1, 3), (Pair{1, 2}));
  EXPECT_EQ(*conv.fields.getPair("x", Pair{5, 6}, 1, 3), (Pair{5, 6}));
  EXPECT_TRUE(failed(conv.fields.getPair("c", std::nullopt, 1, 3)));
  EXPECT_EQ(conv.message(), "layer 'l': \"c\" must be one number or [height, width]");
  EXPECT_TRUE(failed(conv.fields.getPair("d", std::nullopt, 1, 3)));
  EXPECT_TRUE(failed(conv.fields.getPair("e", std::nullopt, 1, 3)));
}

TEST(Fields, Padding) {
  using Amount = std::array<int64_t, 4>;
  Conv conv(
      R"("a": 1, "b": [1, 2], "c": [1, 2, 3, 4], "d": "same", "e": "valid", "f": "full", "g": [1, 2, 3], "h": -1)");
  EXPECT_EQ(conv.fields.getPadding("a")->amount, (Amount{1, 1, 1, 1}));
  EXPECT_EQ(conv.fields.getPadding("b")->amount, (Amount{1, 2, 1, 2}));
  EXPECT_EQ(conv.fields.getPadding("c")->amount, (Amount{1, 2, 3, 4}));
  EXPECT_TRUE(conv.fields.getPadding("d")->same);
  EXPECT_EQ(conv.fields.getPadding("e")->amount, (Amount{0, 0, 0, 0}));
  EXPECT_FALSE(conv.fields.getPadding("e")->same);
  EXPECT_EQ(conv.fields.getPadding("absent")->amount, (Amount{0, 0, 0, 0}));
  for (const char *bad : {"f", "g", "h"})
    EXPECT_TRUE(failed(conv.fields.getPadding(bad))) << bad;
}

TEST(Fields, NumbersWordsAndTruth) {
  Conv conv(R"("a": 1, "b": 0.5, "c": "same", "d": true, "e": [2], "f": "smae")");
  EXPECT_EQ(*conv.fields.getNumber("a", std::nullopt), 1.0);
  EXPECT_EQ(*conv.fields.getNumber("b", std::nullopt), 0.5);
  EXPECT_TRUE(failed(conv.fields.getNumber("c", std::nullopt)));
  EXPECT_EQ(*conv.fields.getString("c", std::nullopt, {"same", "valid"}), "same");
  EXPECT_EQ(*conv.fields.getString("e", std::nullopt, {"same"}, /*orOther=*/true), "");
  EXPECT_TRUE(failed(conv.fields.getString("e", std::nullopt, {"same"})));
  EXPECT_TRUE(*conv.fields.getBool("d", false));
  EXPECT_FALSE(*conv.fields.getBool("x", false));
  EXPECT_TRUE(failed(conv.fields.getBool("a", false)));
  Conv word(R"("mode": "smae")");
  EXPECT_TRUE(failed(word.fields.getString("mode", std::nullopt, {"same", "valid"})));
  EXPECT_EQ(word.message(), "layer 'l': \"mode\" cannot be 'smae'; did you mean 'same'?");
}

TEST(Fields, RatiosAreExactFractions) {
  using Ratios = std::array<Fields::Pair, 2>;
  Conv conv(
      R"("a": 2, "b": [0.5, 0.1], "c": 0.3333333333333333, "d": 0, "e": -1, "f": 1e-9, "g": 1.3333333333333333,
              "h": [1, 2, 3], "i": 3.14159265358979)");
  EXPECT_EQ(*conv.fields.getRatios("a"), (Ratios{{{2, 1}, {2, 1}}}));
  EXPECT_EQ(*conv.fields.getRatios("b"), (Ratios{{{1, 2}, {1, 10}}}));
  EXPECT_EQ(*conv.fields.getRatios("c"), (Ratios{{{1, 3}, {1, 3}}}));
  EXPECT_EQ(*conv.fields.getRatios("g"), (Ratios{{{4, 3}, {4, 3}}}));
  for (const char *bad : {"d", "e", "f", "h", "i", "absent"})
    EXPECT_TRUE(failed(conv.fields.getRatios(bad))) << bad;
}

TEST(Fields, Init) {
  auto init = [](const std::string &value) {
    Conv conv(value.empty() ? "" : "\"init\": " + value);
    auto text = conv.fields.getInit("he");
    return succeeded(text) ? *text : "error";
  };
  EXPECT_EQ(init(""), "he");
  EXPECT_EQ(init("\"bilinear\""), "bilinear");
  EXPECT_EQ(init(R"({"normal": 0.01})"), "normal:0.01");
  EXPECT_EQ(init(R"({"constant": -2})"), "constant:-2");
  for (const char *bad : {"\"hee\"", R"({"normal": -1})", R"({"uniform": 1})", R"({"normal": "x"})", "3",
                          R"({"normal": 1, "constant": 2})"})
    EXPECT_EQ(init(bad), "error") << bad;
}

TEST(Fields, EveryUnknownFieldIsReportedAtItsKey) {
  Conv conv("\"kernle\": 3,\n  \"stride\": 2, \"inputz\": 1");
  (void)conv.fields.getPair("kernel", Fields::Pair{1, 1}, 1, 9);
  (void)conv.fields.getPair("stride", Fields::Pair{1, 1}, 1, 9);
  EXPECT_TRUE(failed(conv.fields.finish()));
  EXPECT_EQ(conv.message(), "layer 'l': unknown field 'kernle' of conv; did you mean 'kernel'?");
  EXPECT_NE(conv.parsed.messages.find(
                "m.json:5:16: error: layer 'l': unknown field 'inputz' of conv; did you mean 'input'?"),
            std::string::npos)
      << conv.parsed.messages;
  Conv good(R"("kernel": 3)");
  EXPECT_TRUE(good.fields.has("kernel"));
  EXPECT_TRUE(succeeded(good.fields.finish()));
}

TEST(Fields, OfAnInlineObject) {
  Conv conv(R"("norm": {"type": "group", "grops": 4})");
  const Value *norm = conv.fields.value("norm");
  ASSERT_TRUE(norm);
  Fields inner(norm->members, "norm", "l", norm->loc, conv.parsed.diagnostics);
  EXPECT_EQ(*inner.getString("type", std::nullopt, {"batch", "group"}), "group");
  EXPECT_EQ(*inner.getInt("groups", 32, 1, 64), 32);
  EXPECT_TRUE(failed(inner.finish()));
  EXPECT_EQ(conv.message(), "layer 'l': unknown field 'grops' of norm; did you mean 'groups'?");
  EXPECT_TRUE(succeeded(conv.fields.finish()));
}

} // namespace
