/// \file JSON values: positions, exact numbers, limits, and what is said about bad text.
// SPDX-License-Identifier: MIT
#include "frontend_support.h"

using namespace segc;

namespace {

struct Text {
  std::string messages;
  llvm::raw_string_ostream stream{messages};
  Diagnostics diagnostics{stream};
  std::optional<Value> value;

  explicit Text(llvm::StringRef text, JsonLimits limits = {}) {
    auto parsed = parseJson(diagnostics.addText(text, "t.json"), diagnostics, limits);
    if (succeeded(parsed))
      value = std::move(*parsed);
  }
  std::pair<unsigned, unsigned> at(llvm::SMLoc loc) { return diagnostics.lineAndColumn(loc); }
};

using Place = std::pair<unsigned, unsigned>;

TEST(Json, ValuesAndKeysKnowTheirPlaces) {
  Text text("{ \"a\" : 12,\n\t\"b\\\"{\" :[true ,-1.5e3, \"x\\\\\" ,\"\",null],\r\n \"c\":{}  }\n");
  ASSERT_TRUE(text.value) << text.messages;
  const auto &members = text.value->members;
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(text.at(text.value->loc), Place(1, 1));
  EXPECT_EQ(text.at(members[0].keyLoc), Place(1, 3));
  EXPECT_EQ(text.at(members[0].value.loc), Place(1, 9));
  EXPECT_EQ(members[1].key, "b\"{");
  EXPECT_EQ(text.at(members[1].keyLoc), Place(2, 2));
  const auto &items = members[1].value.items;
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(text.at(members[1].value.loc), Place(2, 10));
  EXPECT_EQ(text.at(items[0].loc), Place(2, 11));
  EXPECT_EQ(text.at(items[1].loc), Place(2, 17));
  EXPECT_EQ(text.at(items[2].loc), Place(2, 25));
  EXPECT_EQ(text.at(items[3].loc), Place(2, 32));
  EXPECT_EQ(text.at(items[4].loc), Place(2, 35));
  EXPECT_EQ(text.at(members[2].keyLoc), Place(3, 2));
  EXPECT_EQ(text.at(members[2].value.loc), Place(3, 6));
}

TEST(Json, PlacesHoldBehindAByteOrderMarkAndAtBareScalars) {
  Text mark("\xef\xbb\xbf[7]");
  ASSERT_TRUE(mark.value) << mark.messages;
  EXPECT_EQ(mark.at(mark.value->items[0].loc), Place(1, 5));
  Text bare(" 42");
  ASSERT_TRUE(bare.value);
  EXPECT_EQ(bare.at(bare.value->loc), Place(1, 2));
}

TEST(Json, NumbersAreExactOrErrors) {
  Text good("[9223372036854775807, -9223372036854775808, 1.0, 0, -0.5]");
  ASSERT_TRUE(good.value) << good.messages;
  EXPECT_EQ(good.value->items[0].integer, INT64_MAX);
  EXPECT_EQ(good.value->items[1].integer, INT64_MIN);
  EXPECT_EQ(good.value->items[2].kind, Value::Double);
  EXPECT_EQ(good.value->items[3].kind, Value::Int);
  EXPECT_EQ(good.value->items[4].real, -0.5);
  for (const char *literal : {"9223372036854775808", "18446744073709551615", "18446744073709551616",
                              "-9223372036854775809", "99999999999999999999999999"}) {
    Text bad("[1,\n  " + std::string(literal) + "]");
    EXPECT_FALSE(bad.value) << literal;
    EXPECT_EQ(bad.messages.find("t.json:2:3: error: integer out of range"), 0u) << bad.messages;
  }
  Text infinite("[1e999]");
  EXPECT_EQ(infinite.messages.find("t.json:1:2: error: number out of range"), 0u) << infinite.messages;
}

TEST(Json, SyntaxErrorsShowPlaceCaretAndWhatWasExpected) {
  Text text("{\n  \"a\": [1,, 2]\n}");
  EXPECT_FALSE(text.value);
  EXPECT_EQ(text.messages,
            "t.json:2:11: error: JSON syntax error while parsing value - unexpected ','; expected "
            "'[', '{', or a literal\n  \"a\": [1,, 2]\n          ^\n");
  auto place = [](llvm::StringRef text) {
    Text parsed(text);
    EXPECT_FALSE(parsed.value) << text.str();
    return parsed.messages.substr(0, parsed.messages.find(" error"));
  };
  EXPECT_EQ(place(""), "t.json:1:1:");
  EXPECT_EQ(place("{\"a\" \"b\"}"), "t.json:1:6:");
  EXPECT_EQ(place("[1 2]"), "t.json:1:4:");
  EXPECT_EQ(place("[1]\n[2]"), "t.json:2:1:");
  EXPECT_EQ(place("[nul]"), "t.json:1:2:");
  EXPECT_EQ(place("[\"ab"), "t.json:1:5:");
  EXPECT_EQ(place("[\"a\nb\"]"), "t.json:1:4:");
  EXPECT_EQ(place("{\"a\": 1,}"), "t.json:1:9:");
  EXPECT_EQ(place("[\"\\x\"]"), "t.json:1:4:");
  EXPECT_EQ(place("[01]"), "t.json:1:3:");
  EXPECT_EQ(place("[\"\xff\"]"), "t.json:1:3:");
}

TEST(Json, AZeroByteIsNoEnd) {
  Text text(llvm::StringRef("{}\0 garbage", 11));
  EXPECT_FALSE(text.value);
  EXPECT_EQ(text.messages.find("t.json:1:3: error: JSON syntax error: a zero byte"), 0u) << text.messages;
}

TEST(Json, DuplicateKeysAreErrorsInTheSameObjectOnly) {
  EXPECT_TRUE(Text("[{\"a\": {\"a\": 1}}, {\"a\": 1}]").value);
  Text text("{\"a\": 1, \"b\": {\"a\": 2},\n \"\\u0061\": 3}");
  EXPECT_FALSE(text.value);
  EXPECT_EQ(text.messages.find("t.json:2:2: error: duplicate key 'a'"), 0u) << text.messages;
}

TEST(Json, LimitsHoldAtTheLimitAndFailBeyond) {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(Text(nested(64)).value);
  Text deep(nested(65));
  EXPECT_FALSE(deep.value);
  EXPECT_EQ(deep.messages.find("t.json:1:65: error: nested more than 64 deep"), 0u) << deep.messages;
  EXPECT_FALSE(Text(nested(100000)).value);
  EXPECT_FALSE(Text(std::string(100000, '{')).value);
  std::string objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  EXPECT_FALSE(Text(objects).value);

  JsonLimits few;
  few.tokens = 4; // array, object, key, value
  EXPECT_TRUE(Text("[{\"a\": 1}]", few).value);
  EXPECT_FALSE(Text("[{\"a\": 1}, 2]", few).value);
  JsonLimits small;
  small.bytes = 3;
  EXPECT_TRUE(Text("[1]", small).value);
  EXPECT_FALSE(Text("[12]", small).value);
  std::string many = "[0";
  for (int i = 0; i < 1000000; ++i)
    many += ",0";
  EXPECT_FALSE(Text(many + "]").value);
}

TEST(Json, PrintsWhatItRead) {
  llvm::StringRef source = R"([1, -2.5, "a\"\\", null, true, {"k": [], "o": {}}, 0.1])";
  Text text(source);
  ASSERT_TRUE(text.value);
  std::string printed;
  llvm::raw_string_ostream os(printed);
  printJson(os, *text.value);
  EXPECT_EQ(printed, source);
}

TEST(Diagnostics, ClipsLongLinesAndEscapesWhatItQuotes) {
  Text text("[" + std::string(500, ' ') + "x" + std::string(500, ' ') + "]");
  ASSERT_FALSE(text.value);
  size_t line = text.messages.find('\n') + 1, caretLine = text.messages.find('\n', line) + 1;
  std::string shown = text.messages.substr(line, caretLine - line - 1),
              caret = text.messages.substr(caretLine);
  EXPECT_LT(shown.size(), 120u);
  ASSERT_LT(caret.find('^'), shown.size());
  EXPECT_EQ(shown[caret.find('^')], 'x');

  Text hostile("{\"\xe2\x80\xae\\u001b[2J\": 1, \"\xe2\x80\xae\\u001b[2J\": 1}");
  EXPECT_NE(hostile.messages.find("'\\xe2\\x80\\xae\\x1b[2J'"), std::string::npos) << hostile.messages;
  for (char c : hostile.messages)
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 127));
  Text huge("{\"" + std::string(1 << 20, 'n') + "\": 1, \"" + std::string(1 << 20, 'n') + "\": 1}");
  EXPECT_LT(huge.messages.size(), 500u);
}

TEST(Diagnostics, FindsNearNames) {
  EXPECT_EQ(nearest("kernle", {"stride", "kernel", "padding"}), "kernel");
  EXPECT_EQ(nearest("banana", {"stride", "kernel", "padding"}), "");
  EXPECT_EQ(nearest("a", {"b"}), "");
  EXPECT_EQ(suggestion("zzz", {"stride", "kernel"}), "; known are 'stride', 'kernel'");
}

TEST(Diagnostics, FindsThePlacesThatMlirNames) {
  std::string messages;
  llvm::raw_string_ostream os(messages);
  Diagnostics diagnostics(os);
  llvm::StringRef text = diagnostics.addText("ab\ncd", "x.json");
  EXPECT_EQ(diagnostics.at("x.json", 2, 2).getPointer(), text.data() + 4);
  EXPECT_FALSE(diagnostics.at("y.json", 1, 1).isValid());
  (void)diagnostics.error(diagnostics.at("x.json", 2, 2), "wrong", "l");
  EXPECT_EQ(messages, "x.json:2:2: error: layer 'l': wrong\ncd\n ^\n");
  messages.clear();
  EXPECT_TRUE(failed(diagnostics.addFile("/nonexistent/file.json", 10)));
  EXPECT_NE(messages.find("cannot read '/nonexistent/file.json'"), std::string::npos);
}

} // namespace
