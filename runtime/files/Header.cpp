/// \file A SAX handler that accepts exactly the headers a tensor file may have: no document tree, fixed
/// depth, no duplicate names, sizes checked as they come.
// SPDX-License-Identifier: MIT
#include "runtime/files/Header.h"
#include "nlohmann/json.hpp"
#include <set>

namespace segc::files {

using nlohmann::json;

static const struct {
  const char *name;
  DType dtype;
} kDTypes[] = {{"F32", DType::F32}, {"F16", DType::F16}, {"BF16", DType::BF16}, {"I8", DType::I8},
               {"U8", DType::U8},   {"I32", DType::I32}, {"I64", DType::I64}};

const char *nameOf(DType dtype) {
  for (const auto &row : kDTypes)
    if (row.dtype == dtype)
      return row.name;
  return "?";
}

namespace {

/// Where the text stands: before everything, among the names, in a tensor, in one of its arrays, in metadata.
enum class Place { Start, Names, Tensor, Shape, Offsets, Metadata, End };
enum class Field { None, DType, Shape, Offsets };

class HeaderReader : public nlohmann::json_sax<json> {
public:
  HeaderContents contents;
  std::string problem;

  bool start_object(size_t) override {
    if (place == Place::Start) {
      place = Place::Names;
      return true;
    }
    if (place != Place::Names)
      return fail("an object where none may be");
    if (currentName == "__metadata__") {
      place = Place::Metadata;
      return true;
    }
    if (contents.entries.size() == kMaxTensors)
      return fail("more than " + std::to_string(kMaxTensors) + " tensors");
    contents.entries.push_back({currentName, DType::F32, {}, 0, 0});
    seenFields.clear();
    field = Field::None;
    place = Place::Tensor;
    return true;
  }

  bool key(string_t &name) override {
    if (place == Place::Names) {
      if (name.size() > kMaxNameBytes)
        return fail("a name longer than " + std::to_string(kMaxNameBytes) + " bytes");
      currentName = name;
      return names.insert(name).second || fail("the name \"" + name + "\" twice");
    }
    if (place == Place::Metadata) {
      metadataKey = name;
      return contents.metadata.emplace(name, "").second || fail("the metadata key \"" + name + "\" twice");
    }
    field = name == "dtype"          ? Field::DType
            : name == "shape"        ? Field::Shape
            : name == "data_offsets" ? Field::Offsets
                                     : Field::None;
    if (field == Field::None)
      return fail("the unknown field \"" + name.substr(0, 64) + "\"");
    return seenFields.insert(field).second || fail("the field \"" + name + "\" twice");
  }

  bool end_object() override {
    if (place == Place::Tensor) {
      if (seenFields.size() != 3)
        return fail("no dtype, shape or data_offsets");
      place = Place::Names;
    } else {
      place = place == Place::Metadata ? Place::Names : Place::End;
    }
    currentName.clear();
    return true;
  }

  bool string(string_t &text) override {
    if (place == Place::Metadata) {
      contents.metadata[metadataKey] = text;
      return true;
    }
    if (place != Place::Tensor || field != Field::DType)
      return fail("a string where none may be");
    for (const auto &row : kDTypes)
      if (text == row.name) {
        contents.entries.back().dtype = row.dtype;
        return true;
      }
    return fail("the dtype \"" + text.substr(0, 32) + "\"; known are F32, F16, BF16, I8, U8, I32, I64");
  }

  bool start_array(size_t) override {
    if (place != Place::Tensor || (field != Field::Shape && field != Field::Offsets))
      return fail("an array where none may be");
    place = field == Field::Shape ? Place::Shape : Place::Offsets;
    offsetCount = 0;
    return true;
  }

  bool end_array() override {
    if (place == Place::Offsets && offsetCount != 2)
      return fail("data_offsets that are not two numbers");
    place = Place::Tensor;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    HeaderEntry *entry = contents.entries.empty() ? nullptr : &contents.entries.back();
    if (place == Place::Shape) {
      if (entry->shape.size() == kMaxRank)
        return fail("a rank beyond " + std::to_string(kMaxRank));
      if (value > static_cast<uint64_t>(INT64_MAX))
        return fail("an extent beyond 2^63");
      entry->shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place == Place::Offsets && offsetCount < 2) {
      (offsetCount++ ? entry->end : entry->begin) = value;
      return true;
    }
    return fail("a number where none may be");
  }

  bool number_integer(number_integer_t) override { return fail("a negative number"); }
  bool number_float(number_float_t, const string_t &) override { return fail("a number that is no integer"); }
  bool null() override { return fail("null"); }
  bool boolean(bool) override { return fail("a truth value"); }
  bool binary(binary_t &) override { return fail("binary data"); }
  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &) override {
    return fail("no valid JSON at byte " + std::to_string(position));
  }

private:
  bool fail(const std::string &what) {
    problem = "the header has " + what + (currentName.empty() ? "" : " (tensor \"" + currentName + "\")");
    return false;
  }

  Place place = Place::Start;
  Field field = Field::None;
  std::string currentName, metadataKey;
  std::set<std::string> names;
  std::set<Field> seenFields;
  int offsetCount = 0;
};

} // namespace

std::variant<HeaderContents, std::string> parseHeader(const char *text, size_t size) {
  if (size == 0 || text[0] != '{')
    return std::string("the header does not start with {");
  HeaderReader reader;
  if (!json::sax_parse(text, text + size, &reader))
    return reader.problem;
  return std::move(reader.contents);
}

std::optional<std::string> quote(const std::string &text) {
  try {
    return json(text).dump();
  } catch (const json::type_error &) { // not UTF-8
    return std::nullopt;
  }
}

} // namespace segc::files
