/// \file Plan dialect: registration, size tables as text, lifetimes, and the verifier that proves the memory
/// right.
// SPDX-License-Identifier: MIT
#include "dialects/plan/Plan.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/plan/PlanDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/plan/PlanTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

namespace segc::plan {

void PlanDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
}

//===-- sizes as text --===//

static const char *const kKinds[] = {"const", "input", "add", "sub", "mul", "div", "min", "max", "product"};

ArrayAttr printSizes(Builder &builder, const hg::SizeTable &table) {
  using Kind = hg::SizeTable::Kind;
  SmallVector<Attribute> lines;
  for (const hg::SizeTable::Node &node : table.nodes()) {
    std::string line = kKinds[static_cast<unsigned>(node.kind)];
    auto append = [&](int64_t number) { line += " " + std::to_string(number); };
    if (node.kind != Kind::Constant)
      append(node.a);
    if (node.kind == Kind::Symbol || node.kind == Kind::Add || node.kind == Kind::Sub ||
        node.kind == Kind::Min || node.kind == Kind::Max || node.kind == Kind::Product)
      append(node.b);
    if (node.kind == Kind::Constant || node.kind == Kind::Symbol || node.kind == Kind::Mul ||
        node.kind == Kind::Div)
      append(node.value);
    lines.push_back(builder.getStringAttr(line));
  }
  return builder.getArrayAttr(lines);
}

FailureOr<hg::SizeTable> parseSizes(ArrayAttr sizes) {
  using Kind = hg::SizeTable::Kind;
  hg::SizeTable table;
  for (auto [index, attribute] : llvm::enumerate(sizes.getAsRange<StringAttr>())) {
    SmallVector<StringRef> words;
    attribute.getValue().split(words, ' ', -1, false);
    auto kind = words.empty() ? std::end(kKinds) : llvm::find(kKinds, words[0]);
    if (kind == std::end(kKinds))
      return failure();
    SmallVector<int64_t, 3> numbers;
    for (StringRef word : llvm::drop_begin(words)) {
      int64_t number;
      if (word.getAsInteger(10, number))
        return failure();
      numbers.push_back(number);
    }
    hg::SizeTable::Node node{static_cast<Kind>(kind - kKinds)};
    static const unsigned kCounts[] = {1, 3, 2, 2, 2, 2, 2, 2, 2};
    if (numbers.size() != kCounts[kind - kKinds])
      return failure();
    bool isLeaf = node.kind == Kind::Constant || node.kind == Kind::Symbol;
    if (node.kind == Kind::Constant)
      node.value = numbers[0];
    else
      node.a = numbers[0];
    if (node.kind == Kind::Symbol) {
      node.b = numbers[1];
      node.value = numbers[2];
    } else if (node.kind == Kind::Mul || node.kind == Kind::Div) {
      node.value = numbers[1];
    } else if (!isLeaf) {
      node.b = numbers[1];
    }
    bool usesLater = !isLeaf && (node.a >= index || node.b >= index);
    if (usesLater || (node.kind == Kind::Div && node.value < 1) || (node.kind == Kind::Symbol && node.b > 3))
      return failure();
    if (table.append(node) != index)
      return failure();
  }
  return table;
}

ArrayAttr printChecks(Builder &builder, const hg::SizeTable &table) {
  SmallVector<Attribute> lines;
  for (const hg::SizeTable::Requirement &check : table.requirements())
    lines.push_back(builder.getStringAttr((check.equal ? "equal " : "least ") + std::to_string(check.a) +
                                          " " + std::to_string(check.equal ? check.b : check.least) + ": " +
                                          check.message));
  return builder.getArrayAttr(lines);
}

FailureOr<std::vector<hg::SizeTable::Requirement>> parseChecks(ArrayAttr checks) {
  std::vector<hg::SizeTable::Requirement> result;
  for (StringAttr attribute : checks.getAsRange<StringAttr>()) {
    auto [head, message] = attribute.getValue().split(": ");
    SmallVector<StringRef> words;
    head.split(words, ' ');
    int64_t a, b;
    if (words.size() != 3 || (words[0] != "equal" && words[0] != "least") || words[1].getAsInteger(10, a) ||
        words[2].getAsInteger(10, b))
      return failure();
    bool equal = words[0] == "equal";
    result.push_back({static_cast<hg::Size>(a), static_cast<hg::Size>(equal ? b : a), equal, equal ? 0 : b,
                      message.str()});
  }
  return result;
}

hg::SizeTable sizeTable(ProgramOp program) {
  hg::SizeTable table = *parseSizes(program.getSizes());
  auto checks = parseChecks(program.getChecks());
  for (hg::SizeTable::Requirement &check : *checks)
    table.require(std::move(check));
  return table;
}

//===-- lifetimes --===//

int64_t elementBytes(Type type) { return (type.getIntOrFloatBitWidth() + 7) / 8; }

int64_t tensorBytes(RankedTensorType type) {
  return type.getNumElements() * elementBytes(type.getElementType());
}

int64_t bufferBytes(AllocOp alloc, ArrayRef<int64_t> sizes) {
  auto extents = alloc.getExtents(), apron = alloc.getApron();
  int64_t n = sizes[extents[0]], h = sizes[extents[1]], w = sizes[extents[2]];
  if (n <= 0 || h <= 0 || w <= 0)
    return -1;
  return n * (h + apron[0] + apron[2]) * (w + apron[1] + apron[3]) *
         static_cast<int64_t>(alloc.getChannels()) * elementBytes(alloc.getElement());
}

SmallVector<Operation *> steps(ProgramOp program) {
  SmallVector<Operation *> result;
  for (Operation &op : program.getBody().front())
    if (isa<LaunchOp, BorderOp>(op))
      result.push_back(&op);
  return result;
}

SmallVector<Lifetime> lifetimes(ProgramOp program) {
  SmallVector<Lifetime> result;
  DenseMap<Value, unsigned> place;
  for (AllocOp alloc : program.getBody().front().getOps<AllocOp>()) {
    place[alloc.getBuffer()] = result.size();
    result.push_back({alloc});
  }
  for (auto [index, step] : llvm::enumerate(steps(program))) {
    auto touch = [&, step = static_cast<unsigned>(index)](Value value) {
      if (auto view = value.getDefiningOp<ViewOp>())
        value = view.getBuffer();
      else if (auto dense = value.getDefiningOp<DenseOp>())
        value = dense.getBuffer();
      auto found = place.find(value);
      if (found == place.end())
        return;
      Lifetime &life = result[found->second];
      life.first = life.used ? life.first : step;
      life.last = step;
      life.used = true;
    };
    if (auto launch = dyn_cast<LaunchOp>(step)) {
      llvm::for_each(launch.getReads(), touch);
      llvm::for_each(launch.getWrites(), touch);
    } else {
      touch(cast<BorderOp>(step).getBuffer());
    }
  }
  return result;
}

//===-- verifiers --===//

static bool allIndices(ArrayRef<int64_t> indices, size_t count) {
  return llvm::all_of(indices,
                      [&](int64_t index) { return index >= 0 && static_cast<size_t>(index) < count; });
}

LogicalResult AllocOp::verify() {
  if (getExtents().size() != 3 || getApron().size() != 4 || static_cast<int64_t>(getChannels()) < 1)
    return emitOpError("needs three extents, four apron widths and positive channels");
  if (llvm::any_of(getApron(), [](int64_t pixels) { return pixels < 0; }))
    return emitOpError("apron must not be negative");
  return success();
}

LogicalResult ViewOp::verify() {
  auto alloc = getBuffer().getDefiningOp<AllocOp>();
  if (!alloc)
    return emitOpError("must view a plan.alloc");
  auto type = cast<ViewType>(getView().getType()).getTensor();
  int64_t channels = type.getRank() == 4 ? type.getDimSize(1) : 1;
  if (getExtents().size() != 3 || getOrigin().size() != 2 || getStep().size() != 2)
    return emitOpError("needs three extents, two origins and two steps");
  if (getPhases() &&
      (getPhases()->size() != 2 || (*getPhases())[0] < 1 || (*getPhases())[1] < 1 || getBounded()))
    return emitOpError("needs a number of phases for rows and for columns, and no bounds");
  if (static_cast<int64_t>(getChannel()) < 0 || getChannels() != alloc.getChannels() ||
      static_cast<int64_t>(getChannel()) + channels > static_cast<int64_t>(getChannels()))
    return emitOpError("channels ") << getChannel() << " to " << static_cast<int64_t>(getChannel()) + channels
                                    << " leave the buffer's " << alloc.getChannels();
  if (type.getElementType() != alloc.getElement())
    return emitOpError("shows ") << type.getElementType() << " in a buffer of " << alloc.getElement();
  return success();
}

LogicalResult DenseOp::verify() {
  auto alloc = getBuffer().getDefiningOp<AllocOp>();
  if (!alloc)
    return emitOpError("must show a plan.alloc");
  RankedTensorType type = getView().getType().getTensor();
  if (!type.hasStaticShape() || type.getElementType() != alloc.getElement())
    return emitOpError("must show known extents in elements of ") << alloc.getElement() << ", not " << type;
  return success();
}

ArrayRef<StringRef> flatBuffers() {
  static const StringRef names[] = {"parameters", "gradients", "state0", "state1", "average", "accumulated"};
  return names;
}

LogicalResult FlatOp::verify() {
  if (!llvm::is_contained(flatBuffers(), getBuffer()))
    return emitOpError("knows no buffer '") << getBuffer() << "'";
  return success();
}

LogicalResult LaunchOp::verify() {
  if (getBody().empty() != getKernel().has_value())
    return emitOpError("needs either a body or a kernel");
  if (getBody().empty())
    return success();
  Block &block = getBody().front();
  if (block.getNumArguments() != getReads().size() + getShapes().size())
    return emitOpError("body takes ") << block.getNumArguments() << " values, reads and shapes are "
                                      << getReads().size() + getShapes().size();
  auto yield = dyn_cast<YieldOp>(block.back());
  if (!yield || yield.getValues().size() != getWrites().size())
    return emitOpError("body must yield one value per view it writes");
  return success();
}

/// Each view must lie inside its buffer and apron, for the model's own extents.
static LogicalResult verifyView(ViewOp view, ArrayRef<int64_t> sizes) {
  auto alloc = view.getBuffer().getDefiningOp<AllocOp>();
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t extent = sizes[alloc.getExtents()[1 + axis]], count = sizes[view.getExtents()[1 + axis]];
    if (extent <= 0 || count <= 0)
      continue;
    int64_t first = view.getBounded() ? 0 : sizes[view.getOrigin()[axis]];
    int64_t last = first + (count - 1) * view.getStep()[axis];
    if (first < -alloc.getApron()[axis] || last > extent - 1 + alloc.getApron()[axis + 2])
      return view.emitOpError("pixels ") << first << " to " << last << " of axis " << (axis ? "x" : "y")
                                         << " leave the buffer's " << extent << " and its apron";
  }
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  auto table = parseSizes(getSizes());
  if (failed(table))
    return emitOpError("sizes are malformed");
  if (failed(parseChecks(getChecks())))
    return emitOpError("checks are malformed");
  size_t count = table->nodes().size();
  std::vector<int64_t> sizes = table->evaluate();
  for (Operation &op : getBody().front()) {
    if (auto alloc = dyn_cast<AllocOp>(op)) {
      if (!allIndices(alloc.getExtents(), count))
        return alloc.emitOpError("refers to a size that does not exist");
    } else if (auto view = dyn_cast<ViewOp>(op)) {
      if (!allIndices(view.getExtents(), count) || !allIndices(view.getOrigin(), count))
        return view.emitOpError("refers to a size that does not exist");
      if (failed(verifyView(view, sizes)))
        return failure();
    } else if (auto dense = dyn_cast<DenseOp>(op)) {
      auto alloc = dense.getBuffer().getDefiningOp<AllocOp>();
      RankedTensorType type = dense.getView().getType().getTensor();
      if (bufferBytes(alloc, sizes) < tensorBytes(type))
        return dense.emitOpError("shows ") << type << ", more than its buffer holds";
    }
  }
  // Buffers that live at the same time must not share bytes.
  SmallVector<Lifetime> lives = lifetimes(*this);
  for (auto [i, a] : llvm::enumerate(lives))
    for (const Lifetime &b : ArrayRef<Lifetime>(lives).drop_front(i + 1)) {
      AllocOp first = a.alloc, second = b.alloc;
      if (!first.getOffset() || !second.getOffset() || a.last < b.first || b.last < a.first || !a.used ||
          !b.used)
        continue;
      int64_t aBegin = *first.getOffset(), bBegin = *second.getOffset();
      if (aBegin < bBegin + bufferBytes(second, sizes) && bBegin < aBegin + bufferBytes(first, sizes))
        return second.emitOpError("overlaps buffer ") << first.getName() << " while both are alive";
    }
  return success();
}

} // namespace segc::plan
