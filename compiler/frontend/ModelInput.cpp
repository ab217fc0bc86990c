/// \file Reads name, extents and type of an input or target.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/ModelInput.h"
#include "llvm/ADT/STLExtras.h"

namespace segc {

static constexpr int64_t kLargestExtent = int64_t(1) << 24;
static constexpr int64_t kMostElements = INT32_MAX; // schedules index with 32 bits
static constexpr llvm::StringRef kTypes[] = {"f32", "f16", "bf16", "i8", "u8", "i32"};

static llvm::LogicalResult readExtents(const Value &shape, const std::string &title, ModelInput &input,
                                       Diagnostics &diagnostics) {
  int64_t elements = 1;
  for (auto [axis, extent] : llvm::enumerate(shape.items)) {
    // Only C must be known: kernels are compiled for it.
    bool isChannels = shape.items.size() == 4 && axis == 1;
    if (extent.isString() && extent.text == "?" && !isChannels) {
      input.shape.push_back(kAnyExtent);
      continue;
    }
    if (extent.kind != Value::Int || extent.integer < 1 || extent.integer > kLargestExtent)
      return diagnostics.error(extent.loc,
                               "an extent must be an integer from 1 to " + llvm::Twine(kLargestExtent) +
                                   (isChannels ? "" : " or \"?\"") + ", not " + extent.describe() +
                                   (isChannels ? "; the number of channels is always known" : ""));
    input.shape.push_back(extent.integer);
    if (__builtin_mul_overflow(elements, extent.integer, &elements) || elements > kMostElements)
      return diagnostics.error(shape.loc,
                               title + " has more than " + llvm::Twine(kMostElements) + " elements");
  }
  return llvm::success();
}

llvm::FailureOr<ModelInput> readModelInput(const Value &object, bool isTarget, Diagnostics &diagnostics) {
  std::string what = isTarget ? "a target" : "an input";
  if (object.kind != Value::Object)
    return diagnostics.error(object.loc, what + " must be an object with \"name\", \"shape\" and \"dtype\"");
  if (failed(checkWords(object, what, {"name", "shape", "dtype"}, diagnostics)))
    return llvm::failure();
  const Value *name = object.find("name"), *shape = object.find("shape"), *dtype = object.find("dtype");
  if (!name || !name->isString() || !isName(name->text))
    return diagnostics.error(name ? name->loc : object.loc,
                             what + " needs a \"name\": [A-Za-z_][A-Za-z0-9_.]*, at most 128 bytes" +
                                 (name ? ", not " + name->describe() : ""));
  ModelInput input;
  input.name = name->text;
  input.loc = object.loc;
  std::string title = (isTarget ? "target " : "input ") + quote(input.name);
  size_t least = isTarget ? 3 : 1;
  if (!shape || shape->kind != Value::Array || shape->items.size() < least || shape->items.size() > 4)
    return diagnostics.error(shape ? shape->loc : object.loc,
                             title + " needs a \"shape\" of " +
                                 (isTarget ? "three or four extents, [N, H, W] or [N, C, H, W]"
                                           : "one to four extents, [N, C, H, W]"));
  if (failed(readExtents(*shape, title, input, diagnostics)))
    return llvm::failure();
  input.dtype = dtype ? dtype->text : "f32";
  if (!llvm::is_contained(kTypes, input.dtype))
    return diagnostics.error(dtype->loc,
                             "\"dtype\" cannot be " + dtype->describe() + suggestion(dtype->text, kTypes));
  return input;
}

} // namespace segc
