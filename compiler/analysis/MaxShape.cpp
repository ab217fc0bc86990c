/// \file Reads -max-shape and attaches it to the inputs.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/MaxShape.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace segc {

static bool parseExtents(StringRef text, SmallVectorImpl<int64_t> &extents) {
  SmallVector<StringRef> parts;
  text.split(parts, 'x');
  for (StringRef part : parts) {
    int64_t extent = 0;
    if (part.getAsInteger(10, extent) || extent < 1 || extent > INT32_MAX)
      return false;
    extents.push_back(extent);
  }
  return extents.size() == 4;
}

std::string setMaxShape(ModuleOp graph, StringRef text) {
  auto main = graph.lookupSymbol<func::FuncOp>("main");
  auto nameOf = [&](unsigned i) { return main.getArgAttrOfType<StringAttr>(i, "hourglass.name"); };
  SmallVector<unsigned> inputs; // targets have the extents that these give them
  SmallVector<StringRef> names;
  for (unsigned i = 0; i < main.getNumArguments(); ++i)
    if (!main.getArgAttr(i, "hourglass.target")) {
      inputs.push_back(i);
      names.push_back(nameOf(i) ? nameOf(i).getValue() : "");
    }
  auto [name, extentsText] = text.contains('=') ? text.split('=') : std::pair(StringRef(), text);
  SmallVector<int64_t> extents;
  if (!parseExtents(extentsText, extents))
    return ("-max-shape '" + text +
            "' must be four numbers like 4x3x1024x1024 (N, C, H, W), or name=4x3x1024x1024")
        .str();
  if (name.empty() && inputs.size() > 1)
    return ("-max-shape '" + text + "': the model has the inputs " + llvm::join(names, ", ") +
            "; say which, as in " + names[0] + "=" + extentsText)
        .str();
  for (auto [index, input] : llvm::zip(inputs, names)) {
    if (!name.empty() && name != input)
      continue;
    ArrayRef<int64_t> own = cast<RankedTensorType>(main.getArgument(index).getType()).getShape();
    for (unsigned axis = 0; axis < 4; ++axis) {
      bool fixed = axis == 1;
      if (!ShapedType::isDynamic(own[axis]) &&
          (own[axis] > extents[axis] || (fixed && own[axis] != extents[axis])))
        return ("-max-shape '" + text + "': the model's own " + StringRef("NCHW").substr(axis, 1) + " of '" +
                input + "' is " + Twine(own[axis]) +
                (fixed ? ", and channels cannot change" : ", which is more"))
            .str();
    }
    main.setArgAttr(index, "hourglass.max", Builder(graph.getContext()).getDenseI64ArrayAttr(extents));
    return "";
  }
  return ("-max-shape '" + text + "': the model has no input '" + name + "', but " + llvm::join(names, ", "))
      .str();
}

} // namespace segc
