/// \file The comparisons of segc-check.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Check.h"
#include "compiler/Pipeline.h"
#include "compiler/analysis/LegalSizes.h"
#include "compiler/codegen/Link.h"
#include "compiler/reference/PlanInterpreter.h"
#include "compiler/report/Summary.h"
#include "compiler/tools/CheckSupport.h"
#include "compiler/tools/InitialWeights.h"
#include "compiler/tools/RunTensors.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"
#include <cmath>
#include <cstring>

using namespace mlir;
using segc::reference::Tensor;

namespace segc {
namespace {

using Value = mlir::Value; // segc::Value is JSON's

/// By how much the values at `chosen` are less than their pixels' maxima: `values` is what argmax saw.
Difference compareChoice(const Tensor &chosen, const Tensor &values) {
  Tensor taken(chosen.shape), maxima(chosen.shape);
  int64_t channels = values.shape[1], plane = values.planeSize();
  for (int64_t i = 0; i < static_cast<int64_t>(chosen.data.size()); ++i) {
    const double *pixel = values.plane(i / plane, 0) + i % plane;
    auto c = static_cast<int64_t>(chosen.data[i]);
    taken.data[i] = c >= 0 && c < channels ? pixel[c * plane] : NAN;
    maxima.data[i] = *pixel;
    for (int64_t other = 1; other < channels; ++other)
      maxima.data[i] = std::fmax(maxima.data[i], pixel[other * plane]);
  }
  return compare(taken, maxima);
}

/// Rounded as the library stores what it gets: an input that it rounded first would decide which of two
/// channels is larger.
void narrow(Tensor &input, const llvm::fltSemantics &precision) {
  for (double &value : input.data) {
    llvm::APFloat rounded(value);
    bool losesInfo;
    rounded.convert(precision, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    value = rounded.convertToDouble();
  }
}

using Inputs = std::vector<Tensor>;
using Outputs = std::vector<OutputTensor>;

/// Runs a library on these inputs; nothing, with `problem` set, where it refuses.
std::optional<Outputs> runOn(CheckedLibrary &checked, const Model &model, const Inputs &inputs, int threads,
                             std::string &problem) {
  files::TensorFile file;
  for (auto [tensor, input] : llvm::zip(inputs, model.inputs))
    file.tensors.push_back(files::Tensor::fromNumbers(
        input.name, files::DType::F32, {tensor.shape.begin(), tensor.shape.end()}, tensor.data));
  std::vector<std::vector<uint8_t>> storage;
  std::vector<segc_model_tensor> bound;
  Outputs outputs;
  double milliseconds[2];
  if (!checked.setThreads(threads, problem))
    return std::nullopt;
  auto why = bindInputs(*checked.instance, file, storage, bound);
  if (!why)
    why = runModel(*checked.instance, bound, 1, outputs, milliseconds);
  if (!why)
    return outputs;
  problem = *why;
  return std::nullopt;
}

/// The state of one check.
class Checker {
public:
  Checker(MLIRContext &context, Diagnostics &diagnostics, const Model &model, const CompileOptions &compile,
          const CheckOptions &options)
      : context(context), diagnostics(diagnostics), model(model), compile(compile), options(options) {}

  std::optional<CheckResult> run(const std::optional<files::TensorFile> &given) {
    for (const Layer &layer : model.layers)
      names.push_back(layer.name);
    Model sized = model;
    for (auto [index, input] : llvm::enumerate(sized.inputs)) {
      if (!options.extents.empty())
        input.shape = options.extents[index];
      for (auto [axis, extent] : llvm::enumerate(input.shape))
        extent = extent != kAnyExtent ? extent : axis ? 16 : 1;
      inputs.push_back(randomInput(input.dtype, input.shape, options.seed * 64 + index));
      if (compile.precision == "bf16" || compile.precision == "f16")
        narrow(inputs.back(),
               compile.precision == "bf16" ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf());
    }
    graph = importModel(context, diagnostics, model, {names, false});
    plainGraph = importModel(context, diagnostics, model, {});
    sizedGraph = importModel(context, diagnostics, sized, {names, false});
    if (!graph || !plainGraph || !sizedGraph)
      return std::nullopt;
    weights = given ? given : checkWeights(*graph, options.seed);
    if (!weights || !reference() || (options.stages && !stages()) || !libraries())
      return std::nullopt;
    llvm::stable_sort(result.layers, [&](const CheckRow &a, const CheckRow &b) {
      return llvm::find(names, a.name) < llvm::find(names, b.name);
    });
    return std::move(result);
  }

private:
  reference::Interpreter::Weights provider() { return weightsOf(context, *weights); }

  func::ReturnOp returned() { return cast<func::ReturnOp>(main().getBody().front().getTerminator()); }
  func::FuncOp main() { return sizedGraph->lookupSymbol<func::FuncOp>("main"); }
  /// Where among main's results the layer with this name is.
  unsigned resultOf(StringRef name) {
    for (unsigned i = 0;; ++i)
      if (main().getResultAttrOfType<StringAttr>(i, "hourglass.name").getValue() == name)
        return i;
  }

  bool reference() {
    auto values = reference::Interpreter(provider()).run(*sizedGraph, inputs);
    if (failed(values))
      return false;
    expected = std::move(*values);
    // What may differ by more than rounding: everything behind a selection.
    DenseSet<Value> selected;
    for (Operation &op : main().getBody().front())
      if (isa<hg::UnpoolOp>(op) ||
          llvm::any_of(op.getOperands(), [&](Value v) { return selected.contains(v); }))
        selected.insert(op.getResults().begin(), op.getResults().end());
    for (unsigned i = 0; i < expected.size(); ++i) {
      result.layers.push_back(
          {main().getResultAttrOfType<StringAttr>(i, "hourglass.name").str(), shapeText(expected[i].shape)});
      behindSelection.push_back(selected.contains(returned().getOperand(i)));
    }
    return true;
  }

  bool stages() {
    auto judge = [&](FailureOr<std::vector<Tensor>> values) {
      if (failed(values))
        return false;
      for (auto [row, value, wanted] : llvm::zip(result.layers, *values, expected)) {
        double error = compare(value, wanted).maximum;
        row.stages = error <= row.stages ? row.stages : error;
        row.ok &= error <= options.stageTolerance;
      }
      return values->size() == expected.size();
    };
    auto isa = compile.variants.front();
    for (Stage stage : {Stage::Fused, Stage::Scheduled}) {
      auto module = lower(*sizedGraph, stage, compile, isa);
      if (!module || !judge(reference::Interpreter(provider()).run(*module, inputs)))
        return false;
    }
    auto plan = lower(*graph, Stage::Plan, compile, isa);
    return plan && judge(reference::runPlan(*plan, inputs, provider()));
  }

  /// Evaluates each op of the graph on the values that the library computed for its operands.
  bool alone(const Outputs &outputs) {
    DenseMap<Value, Tensor> values;
    for (auto [argument, input] : llvm::zip(main().getArguments(), inputs))
      values[argument] = input;
    reference::Interpreter interpreter(provider());
    DenseMap<Value, SmallVector<unsigned>> rows;
    for (auto [index, value] : llvm::enumerate(returned().getOperands()))
      rows[value].push_back(index);
    for (Operation &op : main().getBody().front().without_terminator()) {
      std::vector<Tensor> operands;
      for (Value operand : op.getOperands())
        operands.push_back(values[operand]);
      auto computed = interpreter.evaluate(&op, operands);
      if (failed(computed))
        return false;
      for (auto [value, tensor] : llvm::zip(op.getResults(), *computed)) {
        values[value] = tensor;
        for (unsigned row : rows.lookup(value)) {
          Tensor own = tensorOf(outputs[row]);
          result.layers[row].alone = compare(own, tensor).maximum;
          result.layers[row].ok &= result.layers[row].alone <= options.tolerance;
          values[value] = std::move(own);
        }
      }
    }
    return true;
  }

  /// Do elements move from one image to another, or is the number of images fixed?
  bool mixesImages() {
    for (Operation &op : main().getBody().front()) {
      auto reshape = dyn_cast<hg::ReshapeOp>(op);
      auto transpose = dyn_cast<hg::TransposeOp>(op);
      if ((reshape && reshape.getShape() && (*reshape.getShape())[0] != 0) ||
          (transpose && transpose.getPerm()[0] != 0))
        return true;
    }
    return false;
  }

  /// Runs a library with all numbers of threads and in a larger batch; nothing where it fails.
  std::optional<Outputs> runAll(CheckedLibrary &library, const std::string &what) {
    std::string problem;
    auto first = runOn(library, model, inputs, options.threads.front(), problem);
    auto complain = [&](const std::string &text) { result.problems.push_back(what + ": " + text); };
    if (!first) {
      complain(problem);
      return std::nullopt;
    }
    for (int threads : ArrayRef<int>(options.threads).drop_front()) {
      auto other = runOn(library, model, inputs, threads, problem);
      for (size_t i = 0; !other || i < first->size(); ++i) {
        if (other && sameBits((*first)[i], (*other)[i]))
          continue;
        complain(other ? (*first)[i].name + " differs between " + std::to_string(options.threads.front()) +
                             " and " + std::to_string(threads) + " threads"
                       : problem);
        break;
      }
    }
    if (mixesImages())
      return first;
    // The first image once more behind all others: every image must come out as before.
    Inputs batch;
    for (const Tensor &input : inputs) {
      Tensor more = input;
      more.shape[0] += 1;
      more.data.insert(more.data.end(), input.data.begin(),
                       input.data.begin() + static_cast<int64_t>(input.data.size()) / input.shape[0]);
      batch.push_back(std::move(more));
    }
    auto larger = runOn(library, model, batch, options.threads.back(), problem);
    if (!larger) {
      complain("in a batch of one image more: " + problem);
      return first;
    }
    for (auto [one, more] : llvm::zip(*first, *larger)) {
      Tensor before = tensorOf(one), after = tensorOf(more);
      size_t image = before.data.size() / static_cast<size_t>(before.shape[0]);
      bool same = after.data.size() == before.data.size() + image;
      for (size_t i = 0; same && i < after.data.size(); ++i) {
        double wanted = before.data[i < before.data.size() ? i : i - before.data.size()];
        same = std::memcmp(&after.data[i], &wanted, sizeof wanted) == 0;
      }
      if (!same)
        complain(one.name + " differs in a batch of one image more");
    }
    return first;
  }

  Difference fromInput(const Tensor &value, unsigned index) {
    auto argmax = returned().getOperand(index).getDefiningOp<hg::ArgmaxOp>();
    if (!argmax || value.shape != expected[index].shape)
      return compare(value, expected[index]);
    if (auto argument = dyn_cast<BlockArgument>(argmax.getX()))
      return compareChoice(value, inputs[argument.getArgNumber()]);
    for (auto [row, other] : llvm::enumerate(returned().getOperands()))
      if (other == argmax.getX())
        return compareChoice(value, expected[row]);
    return compare(value, expected[index]);
  }

  bool libraries() {
    auto bytes = files::serialise(*weights);
    std::string problem;
    if (auto *why = std::get_if<std::string>(&bytes)) {
      result.problems.push_back(*why);
      return true;
    }
    ArrayRef<uint8_t> file = std::get<std::vector<uint8_t>>(bytes);
    for (bool plain : {false, true}) {
      CheckedLibrary library;
      std::string what = plain ? "library" : "library with all layers as outputs";
      if (!library.build({plain ? *plainGraph : *graph, {}}, model.name, compile, file, problem)) {
        if (problem.empty())
          return false;
        result.problems.push_back(what + ": " + problem);
        return true;
      }
      auto outputs = runAll(library, what);
      if (!outputs)
        return true;
      if (!plain && !alone(*outputs))
        return false;
      for (const OutputTensor &output : *outputs) {
        unsigned index = resultOf(output.name);
        CheckRow row = result.layers[index];
        Difference difference = fromInput(tensorOf(output), index);
        row.fromInput = difference.maximum;
        const double tolerance =
            options.fromInputTolerance > 0 ? options.fromInputTolerance : options.tolerance;
        row.ok = behindSelection[index] ? difference.mean <= 100 * options.tolerance
                                        : difference.maximum <= tolerance;
        if (plain)
          result.outputs.push_back(row);
        else
          result.layers[index].fromInput = row.fromInput;
      }
    }
    return true;
  }

  MLIRContext &context;
  Diagnostics &diagnostics;
  const Model &model;
  const CompileOptions &compile;
  const CheckOptions &options;
  std::vector<std::string> names;
  OwningOpRef<ModuleOp> graph, plainGraph, sizedGraph;
  std::optional<files::TensorFile> weights;
  Inputs inputs;
  std::vector<Tensor> expected;
  std::vector<bool> behindSelection;
  CheckResult result;
};

} // namespace

bool CheckResult::ok() const {
  auto good = [](const CheckRow &row) { return row.ok; };
  return problems.empty() && llvm::all_of(layers, good) && llvm::all_of(outputs, good);
}

std::optional<files::TensorFile> checkWeights(ModuleOp graph, uint64_t seed) {
  auto file = initialWeights(graph, seed);
  if (!file)
    return std::nullopt;
  llvm::StringSet<> drawn;
  graph.walk([&](hg::WeightOp weight) {
    StringRef init = weight.getInit();
    if (init == "he" || init == "xavier" || init.starts_with("normal"))
      drawn.insert(weight.getName());
  });
  for (auto [index, tensor] : llvm::enumerate(file->tensors)) {
    if (drawn.contains(tensor.name))
      continue;
    std::vector<double> values = tensor.numbers();
    double amplitude = 0.4 / std::sqrt(static_cast<double>(tensor.elements() / tensor.shape[0]));
    for (auto [element, value] : llvm::enumerate(values))
      value += amplitude * uniform((seed + 1) * 4096 + index, element);
    tensor = files::Tensor::fromNumbers(tensor.name, tensor.dtype, tensor.shape, values);
  }
  return file;
}

std::optional<CheckResult> checkModel(MLIRContext &context, Diagnostics &diagnostics, const Model &model,
                                      const CompileOptions &compile, const CheckOptions &options,
                                      const std::optional<files::TensorFile> &weights) {
  return Checker(context, diagnostics, model, compile, options).run(weights);
}

std::vector<std::vector<int64_t>> affordableExtents(ModuleOp graph, const CompileOptions &compile,
                                                    int64_t limit) {
  auto main = graph.lookupSymbol<func::FuncOp>("main");
  SmallVector<SmallVector<int64_t, 4>> own;
  bool open = false;
  for (Type type : main.getArgumentTypes()) {
    own.emplace_back(cast<RankedTensorType>(type).getShape());
    open |= !cast<RankedTensorType>(type).hasStaticShape();
  }
  int64_t macs = open ? 0 : summarise(graph, {}).macs;
  OwningOpRef<ModuleOp> planned;
  if (macs > limit)
    planned = lower(graph, Stage::Plan, compile, compile.variants.front());
  if (planned) {
    hg::SizeTable table = plan::sizeTable(planned->lookupSymbol<plan::ProgramOp>("run"));
    LegalSizes legal[2] = {legalSizes(table, own, 2), legalSizes(table, own, 3)};
    double shrink = std::sqrt(static_cast<double>(limit) / static_cast<double>(macs));
    SmallVector<SmallVector<int64_t, 4>> less = own;
    for (auto &shape : less)
      for (unsigned axis : {0u, 1u}) {
        int64_t first = legal[axis].first, step = legal[axis].step;
        int64_t wanted = static_cast<int64_t>(shrink * static_cast<double>(shape[2 + axis]));
        if (step > 0)
          shape[2 + axis] =
              std::min(shape[2 + axis], first + std::max<int64_t>(0, (wanted - first) / step) * step);
      }
    if (isLegal(table, less))
      own = less;
  }
  std::vector<std::vector<int64_t>> extents;
  for (const auto &shape : own)
    extents.emplace_back(shape.begin(), shape.end());
  if (open)
    extents.clear();
  return extents;
}

} // namespace segc
