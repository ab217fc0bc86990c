/// \file Walks a plan and writes it down.
// SPDX-License-Identifier: MIT
#include "compiler/report/Report.h"
#include "compiler/analysis/GroupSpec.h"
#include "dialects/plan/Plan.h"
#include "runtime/core/Planner.h"
#include "schedules/Family.h"
#include "llvm/Support/Format.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using Json = nlohmann::ordered_json;

namespace segc {
namespace {

Json numbers(ArrayRef<int64_t> values) { return Json(std::vector<int64_t>(values.begin(), values.end())); }

class Reporter {
public:
  explicit Reporter(ModuleOp module) : module(module), program(module.lookupSymbol<plan::ProgramOp>("run")) {
    sizes = plan::parseSizes(program.getSizes())->evaluate();
    lives = plan::lifetimes(program);
    for (auto [index, life] : llvm::enumerate(lives))
      bufferIndex[life.alloc.getBuffer()] = index;
  }

  Json buffers() {
    Json list = Json::array();
    for (plan::Lifetime &life : lives) {
      plan::AllocOp alloc = life.alloc;
      Json row;
      row["name"] = alloc.getName().str();
      std::vector<int64_t> extents;
      for (int64_t size : alloc.getExtents())
        extents.push_back(sizes[size]);
      extents.push_back(alloc.getChannels());
      row["nhwc"] = extents;
      row["apron"] = numbers(alloc.getApron());
      row["element_bytes"] = plan::elementBytes(alloc.getElement());
      row["bytes"] = plan::bufferBytes(alloc, sizes);
      row["offset"] = alloc.getOffset() ? Json(static_cast<int64_t>(*alloc.getOffset())) : Json(nullptr);
      row["first_step"] = life.first;
      row["last_step"] = life.last;
      list.push_back(row);
    }
    return list;
  }

  Json kernels() {
    Json list = Json::array();
    for (plan::KernelOp kernel : module.getOps<plan::KernelOp>()) {
      auto schedule = schedules::Schedule::parse(kernel.getSchedule().str());
      Json row;
      row["symbol"] = kernel.getSymName().str();
      row["problem"] = kernel.getProblem().str();
      if (auto *point = std::get_if<schedules::Schedule>(&schedule)) {
        row["family"] = point->family;
        row["parameters"] = point->params;
      }
      list.push_back(row);
    }
    return list;
  }

  Json steps(plan::ProgramOp of) {
    Json list = Json::array();
    for (auto [index, op] : llvm::enumerate(plan::steps(of))) {
      Json row;
      row["step"] = index;
      if (auto border = dyn_cast<plan::BorderOp>(op)) {
        row["border"] = bufferIndex.lookup(border.getBuffer());
        list.push_back(row);
        continue;
      }
      auto launch = cast<plan::LaunchOp>(op);
      row["layers"] = launch.getLabel().str();
      row["kernel"] = launch.getKernel()->str();
      row["flops"] = flops(launch);
      int64_t bytes = 0;
      row["reads"] = Json::array();
      row["writes"] = Json::array();
      for (Value view : launch.getReads())
        row["reads"].push_back(describe(view, bytes));
      for (Value view : launch.getWrites())
        row["writes"].push_back(describe(view, bytes));
      row["bytes"] = bytes;
      list.push_back(row);
    }
    return list;
  }

  /// Steps that only move what another step could have written in place.
  unsigned copies() {
    unsigned count = 0;
    for (plan::LaunchOp launch : program.getBody().front().getOps<plan::LaunchOp>())
      count += launch.getLabel().starts_with("copy into ");
    return count;
  }

  /// Views written by kernels that are a slice or phase of a larger buffer: each a copy that did not happen.
  unsigned elided(int64_t &bytes) {
    unsigned count = 0;
    for (plan::LaunchOp launch : program.getBody().front().getOps<plan::LaunchOp>())
      for (Value value : launch.getWrites()) {
        auto view = value.getDefiningOp<plan::ViewOp>();
        if (!view || launch.getLabel().starts_with("copy into "))
          continue;
        RankedTensorType type = cast<plan::ViewType>(view.getType()).getTensor();
        bool isPart =
            type.getRank() == 4 && (static_cast<int64_t>(view.getChannels()) != type.getDimSize(1) ||
                                    view.getStep()[0] != 1 || view.getStep()[1] != 1);
        count += isPart;
        if (isPart && type.hasStaticShape())
          bytes += plan::tensorBytes(type);
      }
    return count;
  }

  int64_t prepared() {
    std::map<int64_t, int64_t> slots;
    for (plan::ProgramOp of : module.getOps<plan::ProgramOp>())
      for (plan::PreparedOp slot : of.getBody().front().getOps<plan::PreparedOp>())
        slots[slot.getIndex()] = plan::tensorBytes(slot.getView().getType().getTensor());
    int64_t sum = 0;
    for (auto [index, bytes] : slots)
      sum += (bytes + 63) / 64 * 64;
    return sum;
  }

  int64_t bound() {
    std::vector<rt::Interval> intervals;
    for (plan::Lifetime &life : lives)
      intervals.push_back(
          {life.first, life.last,
           static_cast<uint64_t>(std::max<int64_t>(plan::bufferBytes(life.alloc, sizes), 0))});
    return static_cast<int64_t>(rt::livenessBound(intervals.data(), intervals.size()));
  }

  plan::ProgramOp run() { return program; }

  /// Floating-point operations at the model's own extents; 0 where those are open.
  static int64_t flops(plan::LaunchOp launch) {
    auto spec = schedules::KernelSpec::parse(launch.getProblem().str());
    RankedTensorType type = cast<plan::ViewType>(launch.getWrites()[0].getType()).getTensor();
    if (!std::holds_alternative<schedules::KernelSpec>(spec) || type.getRank() != 4 || !type.hasStaticShape())
      return 0;
    return static_cast<int64_t>(schedules::flops(std::get<schedules::KernelSpec>(spec), type.getDimSize(0),
                                                 type.getDimSize(2), type.getDimSize(3)));
  }

private:
  Json describe(Value value, int64_t &bytes) {
    RankedTensorType type = cast<plan::ViewType>(value.getType()).getTensor();
    Json row;
    Operation *op = value.getDefiningOp();
    auto view = dyn_cast<plan::ViewOp>(op);
    if (view && type.hasStaticShape()) // activations are stored in the buffer's type
      bytes += type.getNumElements() *
               plan::elementBytes(lives[bufferIndex.lookup(view.getBuffer())].alloc.getElement());
    else if (type.hasStaticShape())
      bytes += plan::tensorBytes(type);
    if (view) {
      row["buffer"] = bufferIndex.lookup(view.getBuffer());
      row["channel"] = static_cast<int64_t>(view.getChannel());
      row["channels"] = type.getRank() == 4 ? type.getDimSize(1) : 1;
      row["of"] = static_cast<int64_t>(view.getChannels());
      row["step"] = numbers(view.getStep());
    } else if (auto input = dyn_cast<plan::InputOp>(op)) {
      row["input"] = input.getName().str();
    } else if (auto output = dyn_cast<plan::OutputOp>(op)) {
      row["output"] = output.getName().str();
    } else if (auto weight = dyn_cast<plan::WeightOp>(op)) {
      row["weight"] = weight.getName().str();
    } else if (auto slot = dyn_cast<plan::PreparedOp>(op)) {
      row["prepared"] = static_cast<int64_t>(slot.getIndex());
    } else if (auto dense = dyn_cast<plan::DenseOp>(op)) {
      row["buffer"] = bufferIndex.lookup(dense.getBuffer());
    } else if (auto gradient = dyn_cast<plan::GradientOp>(op)) {
      row["gradient"] = gradient.getName().str();
    } else if (auto flat = dyn_cast<plan::FlatOp>(op)) {
      row[flat.getBuffer().str()] = {{"first", static_cast<int64_t>(flat.getFirst())},
                                     {"count", flat.getView().getType().getTensor().getNumElements()}};
    } else {
      row[op->getName().stripDialect().str()] = true;
    }
    return row;
  }

  ModuleOp module;
  plan::ProgramOp program;
  std::vector<int64_t> sizes;
  SmallVector<plan::Lifetime> lives;
  DenseMap<Value, unsigned> bufferIndex;
};

} // namespace

/// Memory, kernels, buffers and steps of one plan.
static Json describePlan(ModuleOp planned) {
  Reporter reporter(planned);
  plan::ProgramOp run = reporter.run();
  Json root;
  auto arena = run->getAttrOfType<IntegerAttr>("arena_bytes");
  root["arena_bytes"] = arena ? Json(arena.getInt()) : Json(nullptr);
  if (auto most = run->getAttrOfType<IntegerAttr>("max_arena_bytes"))
    root["max_arena_bytes"] = most.getInt();
  root["liveness_bound_bytes"] = reporter.bound();
  root["prepared_bytes"] = reporter.prepared();
  int64_t elidedBytes = 0;
  root["copies_elided"] = reporter.elided(elidedBytes);
  root["copies_elided_bytes"] = elidedBytes;
  root["copies_made"] = reporter.copies();
  for (const char *counter : {"concats", "concats_elided"})
    if (auto value = run->getAttrOfType<IntegerAttr>(counter))
      root[counter] = value.getInt();
  root["kernels"] = reporter.kernels();
  root["buffers"] = reporter.buffers();
  root["steps"] = reporter.steps(run);
  for (plan::ProgramOp program : planned.getOps<plan::ProgramOp>())
    if (program != run)
      root[program.getSymName().str() + "_steps"] = reporter.steps(program);
  return root;
}

std::string report(ModuleOp planned, llvm::StringRef name, const Summary &summary, ModuleOp training) {
  Json root = describePlan(planned);
  root["name"] = name.str();
  root["precision"] = precisionName(planned);
  root["parameters"] = summary.parameters;
  root["macs"] = summary.macs;
  root["layers"] = Json::array();
  for (const LayerRow &row : summary.rows)
    root["layers"].push_back({{"name", row.name},
                              {"op", row.op},
                              {"output", row.shape},
                              {"parameters", row.parameters},
                              {"macs", row.macs},
                              {"receptive_field", row.field.field}});
  if (training)
    root["training"] = describePlan(training);
  return root.dump(1) + "\n";
}

int64_t livenessBound(ModuleOp planned) { return Reporter(planned).bound(); }
uint64_t preparedBytes(ModuleOp planned) { return static_cast<uint64_t>(Reporter(planned).prepared()); }

/// Of a convolution whose packed filters are larger than the file's: by how much.
static std::string growthOfFilters(plan::LaunchOp launch) {
  auto spec = schedules::KernelSpec::parse(launch.getProblem().str());
  auto *conv = std::get_if<schedules::KernelSpec>(&spec);
  if (!conv || conv->op != "conv" || launch.getReads().size() < 2)
    return "";
  auto slot = launch.getReads()[1].getDefiningOp<plan::PreparedOp>();
  if (!slot)
    return "";
  constexpr double kWorthALine = 1.3; // panels end in zeros
  const double file =
      4. * conv->get("c") / conv->get("g") * conv->get("k") * conv->get("r") * conv->get("r", 1);
  const int64_t packed = plan::tensorBytes(slot.getView().getType().getTensor());
  if (static_cast<double>(packed) < kWorthALine * file)
    return "";
  std::string text;
  llvm::raw_string_ostream(text) << "  filters: " << packed << " bytes, "
                                 << llvm::format("%.1f", static_cast<double>(packed) / file)
                                 << " times the file's\n";
  return text;
}

/// How much of the convolutions tensor cores compute; nothing where none does.
static std::string tensorCoreShare(plan::ProgramOp run) {
  unsigned on = 0, all = 0;
  double flopsOn = 0, flops = 0;
  for (plan::LaunchOp launch : run.getBody().front().getOps<plan::LaunchOp>()) {
    if (!launch.getProblem().starts_with("conv"))
      continue;
    double one = static_cast<double>(Reporter::flops(launch));
    bool isOn = launch.getSchedule().starts_with("tensor_cores");
    ++all, flops += one;
    on += isOn, flopsOn += isOn ? one : 0;
  }
  if (!on)
    return "";
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "tensor cores: " << on << " of " << all << " convolutions";
  if (flops > 0)
    out << ", " << llvm::format("%.1f", 100 * flopsOn / flops) << " % of their operations";
  out << "\n";
  return text;
}

std::string optimisationReport(ModuleOp planned) {
  std::string text;
  auto run = planned.lookupSymbol<plan::ProgramOp>("run");
  for (plan::LaunchOp launch : run.getBody().front().getOps<plan::LaunchOp>()) {
    text += launch.getLabel().str() + ": " + launch.getProblem().str() + " by " + launch.getSchedule().str() +
            "\n";
    if (auto end = launch->getAttrOfType<StringAttr>("end"))
      text += "  fuses no further: " + end.str() + "\n";
    text += growthOfFilters(launch);
    if (auto why = launch->getAttrOfType<StringAttr>("choice"))
      text += "  " + why.str() + "\n";
    if (auto why = launch->getAttrOfType<StringAttr>("not_on_tensor_cores"))
      text += "  not on tensor cores: " + why.str() + "\n";
  }
  text += tensorCoreShare(run);
  int64_t bytes = 0;
  Reporter reporter(planned);
  unsigned elided = reporter.elided(bytes);
  auto arena = run->getAttrOfType<IntegerAttr>("arena_bytes");
  text += "packed weights take " + std::to_string(reporter.prepared()) + " bytes" +
          (arena ? ", activations " + std::to_string(arena.getInt()) : "") + "\n";
  text += std::to_string(elided) + " copies elided (" + std::to_string(bytes) + " bytes), " +
          std::to_string(reporter.copies()) + " made\n";
  return text;
}

} // namespace segc
