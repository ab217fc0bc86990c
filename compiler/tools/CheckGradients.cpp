/// \file The comparisons of segc-check -grad.
// SPDX-License-Identifier: MIT
#include "compiler/tools/CheckGradients.h"
#include "compiler/Pipeline.h"
#include "compiler/reference/GradientCheck.h"
#include "compiler/reference/PlanInterpreter.h"
#include "compiler/tools/Check.h"
#include "compiler/tools/CheckSupport.h"
#include "compiler/tools/RunTraining.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "schedules/KernelSpec.h"
#include <cmath>
#include <map>

using namespace mlir;
using segc::reference::Tensor;

namespace segc {
namespace {

using Value = mlir::Value; // segc::Value is JSON's

/// The model with its inputs at `extents`; targets follow in the same proportion.
std::optional<Model> resized(const Model &model, const std::vector<std::vector<int64_t>> &extents) {
  Model small = model;
  if (extents.empty())
    return small;
  const std::vector<int64_t> own = model.inputs[0].shape, wanted = extents[0];
  for (auto [input, shape] : llvm::zip(small.inputs, extents))
    input.shape = shape;
  for (ModelInput &target : small.training->targets)
    for (unsigned axis : {0u, 1u}) { // the last two are height and width
      int64_t &extent = target.shape[target.shape.size() - 2 + axis];
      if (target.shape.size() < 3 || extent == kAnyExtent)
        continue;
      if (extent * wanted[2 + axis] % own[2 + axis])
        return std::nullopt;
      extent = extent * wanted[2 + axis] / own[2 + axis];
    }
  return small;
}

constexpr double kRounding = 2e-7; ///< a float's, of a convolution's largest value

/// What a convolution of 16 bits is wrong by beside the rounding of its result, of its largest value. F(2x4)
/// by dot products of bf16 is off by 6e-3 in the mean square (schedules/cpu/WinogradBf16.cpp), of which
/// results have about a quarter of their largest value; uniform noise of that size has the amplitude 6e-3 / 4
/// * sqrt 3, and other layers some more. Tensor cores round weights; elsewhere weights and sums are f32.
double convolutionRounding(const CompileOptions &compile) {
  const schedules::Isa isa = compile.variants.front();
  if ((isa == schedules::Isa::Avx512Bf16 || isa == schedules::Isa::Amx) && compile.precision == "bf16")
    return 4e-3;
  return !schedules::isGpu(isa) || (isa == schedules::Isa::OpenCl && !compile.tensorCores) ? kRounding
         : compile.precision == "bf16"                                                     ? 0x1p-9
                                                                                           : 0x1p-12;
}
constexpr double kNoises = 4; ///< a library's error may be so many times what noise of its size makes

class Checker {
public:
  Checker(MLIRContext &context, Diagnostics &diagnostics, const CompileOptions &compile,
          const GradientCheckOptions &options)
      : context(context), diagnostics(diagnostics), compile(compile), options(options) {}

  /// The differentiated graph against differences, if asked for; the stages and the library against it.
  std::optional<GradientCheckResult> run(const Model &whole, const std::optional<files::TensorFile> &given,
                                         int64_t work, bool withDifferences, bool withLibrary) {
    ImportOptions importing;
    auto infer = importModel(context, diagnostics, whole, importing);
    if (!infer)
      return std::nullopt;
    auto extents = affordableExtents(*infer, compile, work);
    std::optional<Model> model = resized(whole, extents);
    if (!model)
      model = whole;
    else if (!extents.empty() && extents[0] != whole.inputs[0].shape)
      result.extents = shapeText(extents[0]);
    importing.training = true;
    graph = importModel(context, diagnostics, *model, importing);
    if (!graph)
      return std::nullopt;
    weights = given ? given : checkWeights(*graph, options.seed);
    if (!weights || !makeInputs() || !exact() || (withDifferences && !differences()))
      return std::nullopt;
    if (withLibrary && (!sensitivity() || !stages() || !library(model->name)))
      return std::nullopt;
    for (GradientRow &row : result.rows) {
      const double allowed = std::fmax(options.tolerance, kNoises * row.noise);
      row.isNoise = schedules::isNarrow(compile.precision) && allowed >= 1;
      row.ok &= row.differences <= options.differences && row.stages <= options.differences &&
                row.rounded <= std::fmax(options.tolerance, row.noise) &&
                (row.library <= allowed || (row.isNoise && std::isfinite(row.library)));
    }
    return result;
  }

private:
  func::FuncOp mainOf(ModuleOp module) { return module.lookupSymbol<func::FuncOp>("main"); }

  /// Random pictures; labels within the classes, some of them ignored; masks of zeros and ones.
  bool makeInputs() {
    func::FuncOp main = mainOf(*graph);
    for (BlockArgument argument : main.getArguments()) {
      unsigned index = argument.getArgNumber();
      auto type = cast<RankedTensorType>(argument.getType());
      SmallVector<int64_t> extents;
      for (auto [axis, extent] : llvm::enumerate(type.getShape()))
        extents.push_back(!ShapedType::isDynamic(extent) ? extent : axis == 0 ? 1 : 16);
      auto dtype = main.getArgAttrOfType<TypeAttr>(index, "hourglass.dtype");
      Type element = dtype ? dtype.getValue() : type.getElementType();
      StringRef kind = element.isF32() ? "f32" : isa<FloatType>(element) ? "bf16" : "u8";
      Tensor tensor = randomInput(kind.str(), extents, options.seed * 64 + index);
      if (main.getArgAttr(index, "hourglass.target"))
        makeTarget(argument, tensor);
      inputs.push_back(std::move(tensor));
      names.push_back(main.getArgAttrOfType<StringAttr>(index, "hourglass.name").str());
    }
    return true;
  }

  void makeTarget(BlockArgument argument, Tensor &tensor) {
    func::FuncOp main = mainOf(*graph);
    auto classes = main.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "hourglass.classes");
    auto ignore = main.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "hourglass.ignore");
    bool isMask = llvm::any_of(argument.getUsers(), [](Operation *user) {
      auto loss = dyn_cast<hg::LossOp>(user);
      return loss && (hg::isLabelLoss(loss.getKind()) || loss.getKind() == "bce");
    });
    for (auto [index, value] : llvm::enumerate(tensor.data)) {
      double u = (uniform(options.seed * 64 + 63, index) + 1) / 2;
      if (classes)
        value = index % 17 == 5 && ignore ? static_cast<double>(ignore.getInt())
                                          : std::floor(u * static_cast<double>(classes.getInt()));
      else
        value = isMask ? u < 0.4 : static_cast<float>(0.1 + u);
    }
  }

  /// The values of the differentiated graph.
  bool exact() {
    differentiated = lower(*graph, Stage::Gradient, compile, compile.variants.front());
    if (!differentiated)
      return false;
    auto provider = weightsOf(context, *weights);
    auto values = reference::Interpreter(provider).run(*differentiated, inputs);
    if (failed(values))
      return false;
    func::FuncOp main = mainOf(*differentiated);
    for (auto [index, value] : llvm::enumerate(*values)) {
      GradientRow row;
      row.shape = shapeText(value.shape);
      if (auto gradient = main.getResultAttrOfType<StringAttr>(index, "hourglass.gradient"))
        row.name = "grad." + gradient.str();
      else if (auto running = main.getResultAttrOfType<StringAttr>(index, "hourglass.running"))
        row.name = "running " + running.str();
      else
        row.name = main.getResultAttrOfType<StringAttr>(index, "hourglass.name").str();
      expected.push_back(value);
      result.rows.push_back(row);
    }
    return true;
  }

  /// The differentiated graph against differences of the loss.
  bool differences() {
    auto provider = weightsOf(context, *weights);
    // Whole networks have many short tensors: directions cost a few evaluations each, elements one by one
    // many.
    reference::DifferenceOptions probing;
    probing.elements = probing.directions;
    auto report = reference::checkGradients(*graph, *differentiated, inputs, provider, probing);
    if (failed(report))
      return false;
    for (auto [index, row] : llvm::enumerate(result.rows))
      row.differences = index == 0 ? report->lossError : errorOf(*report, row);
    return true;
  }

  /// Where a value is within rounding of a kink, or a batch norm sees few values, a float's rounding moves
  /// gradients by far more than itself: how far shows by disturbing the convolutions, and so much is allowed.
  bool sensitivity() {
    constexpr int kDraws = 3;
    if (schedules::isNarrow(compile.precision))
      return narrowSensitivity(kDraws);
    auto provider = weightsOf(context, *weights);
    for (int draw = 0; draw < kDraws; ++draw) {
      reference::Interpreter interpreter(provider);
      interpreter.disturb(kRounding, (draw + 1) * 1000003);
      auto values = interpreter.run(*differentiated, inputs);
      if (failed(values))
        return false;
      for (auto [index, value] : llvm::enumerate(*values))
        result.rows[index].noise = std::fmax(result.rows[index].noise, errorOf(value, index));
    }
    return true;
  }

  /// In 16 bits everything that is stored is rounded, and convolutions multiply rounded weights, those of
  /// bf16 in Winograd's domain: the plan says where.
  bool narrowSensitivity(int draws) {
    const double convolutions = convolutionRounding(compile);
    auto plan = lower(*graph, Stage::Plan, compile, compile.variants.front());
    if (!plan)
      return false;
    for (int draw = 0; draw < draws; ++draw)
      if (!forEachOfPlan(*plan, reference::Narrowing{convolutions, (draw + 1) * uint64_t(1000003)},
                         [&](unsigned index, const Tensor &value) {
                           double &noise = result.rows[index].noise;
                           noise = std::fmax(noise, errorOf(value, index));
                           if (draw == 0 && convolutions == kRounding)
                             rounded[index] = value;
                         }))
        return false;
    return true;
  }

  static double errorOf(const reference::GradientReport &report, GradientRow &row) {
    for (const auto &running : report.running)
      if ("running " + running.name == row.name)
        return running.error;
    for (const auto &gradient : report.gradients)
      if (gradient.name == row.name || "grad." + gradient.name == row.name) {
        row.kinks = gradient.result.kinked;
        row.judged = gradient.result.checked > 0;
        return gradient.result.error;
      }
    return NAN;
  }

  static double largestOf(const Tensor &tensor) {
    double largest = 0;
    for (double value : tensor.data)
      largest = std::fmax(largest, std::fabs(value));
    return largest;
  }

  /// Relative to the tensor's largest value, or to a hundredth of the largest gradient: one that is zero up
  /// to rounding (of a bias before a batch norm) has no scale of its own. Where all are (a batch norm of a
  /// single pixel before each loss) the loss stands for the largest.
  double errorOf(const Tensor &value, unsigned index) { return errorOf(value, expected[index], index); }
  double errorOf(const Tensor &value, const Tensor &wanted, unsigned index) {
    double most = 0;
    for (auto [tensor, row] : llvm::zip(expected, result.rows))
      if (StringRef(row.name).starts_with("grad."))
        most = std::fmax(most, largestOf(tensor));
    if (most == 0)
      most = largestOf(expected[0]);
    double own = std::fmax(largestOf(expected[index]), 1e-30);
    bool isGradient = StringRef(result.rows[index].name).starts_with("grad.");
    return compare(value, wanted).maximum * std::fmax(largestOf(wanted), 1e-30) /
           (isGradient ? std::fmax(own, 1e-2 * most) : own);
  }

  void judgeStage(unsigned index, const Tensor &value) {
    double error = errorOf(value, index);
    GradientRow &row = result.rows[index];
    row.stages = error <= row.stages ? row.stages : error;
  }

  bool stages() {
    auto isa = compile.variants.front();
    auto provider = weightsOf(context, *weights);
    for (Stage stage : {Stage::Fused, Stage::Scheduled}) {
      auto module = lower(*graph, stage, compile, isa);
      if (!module)
        return false;
      auto values = reference::Interpreter(provider).run(*module, inputs);
      if (failed(values))
        return false;
      for (auto [index, value] : llvm::enumerate(*values))
        judgeStage(index, value);
    }
    auto plan = lower(*graph, Stage::Plan, compile, isa);
    return plan && forEachOfPlan(*plan, std::nullopt,
                                 [&](unsigned index, const Tensor &value) { judgeStage(index, value); });
  }

  /// Runs the plan and shows `see` its value of each row.
  template <typename F>
  bool forEachOfPlan(ModuleOp plan, std::optional<reference::Narrowing> narrowing, const F &see) {
    reference::NamedTensors named;
    auto outputs = reference::runPlan(plan, inputs, weightsOf(context, *weights), {}, &named, narrowing);
    if (failed(outputs))
      return false;
    unsigned output = 0;
    for (auto [index, row] : llvm::enumerate(result.rows)) {
      StringRef name = row.name;
      auto found = index == 0                       ? named.find("losses")
                   : name.consume_front("running ") ? named.find("weight " + name.str())
                                                    : named.find("gradient " + name.drop_front(5).str());
      if (found != named.end())
        see(index, found->second);
      else if (output < outputs->size())
        see(index, (*outputs)[output++]);
      else
        result.problems.push_back("the plan never writes " + row.name);
    }
    return true;
  }

  /// The compiled library, with several numbers of threads and twice: the same bits, near the interpreter's
  /// values.
  bool library(const std::string &name) {
    auto bytes = files::serialise(*weights);
    std::string problem;
    if (auto *why = std::get_if<std::string>(&bytes)) {
      result.problems.push_back(*why);
      return true;
    }
    files::TensorFile file;
    for (auto [tensor, input] : llvm::zip(inputs, names)) {
      std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
      if (mainOf(*graph).getArgAttr(file.tensors.size(), "hourglass.rank3"))
        shape.erase(shape.begin() + 1);
      file.tensors.push_back(files::Tensor::fromNumbers(input, files::DType::F32, shape, tensor.data));
    }
    std::vector<OutputTensor> first;
    std::vector<int> runs = options.threads;
    runs.push_back(options.threads.front());
    CheckedLibrary checked;
    for (int threads : runs) {
      // Each time a fresh handle: a step changes running statistics.
      if (!checked.build({{}, *graph}, name, compile, std::get<std::vector<uint8_t>>(bytes), problem)) {
        result.problems.push_back(problem);
        return !problem.empty();
      }
      std::vector<OutputTensor> outputs;
      double milliseconds[2];
      std::optional<std::string> why =
          checked.setThreads(threads, problem)
              ? runTrainingStep(*checked.instance, file, 1, outputs, milliseconds)
              : problem;
      if (!why)
        why = collectRunning(*checked.instance, outputs);
      if (why) {
        result.problems.push_back("library: " + *why);
        return true;
      }
      if (first.empty()) {
        first = outputs;
        judgeLibrary(outputs);
      }
      for (auto [a, b] : llvm::zip(first, outputs))
        if (!sameBits(a, b))
          result.problems.push_back(a.name + " differs between " + std::to_string(options.threads.front()) +
                                    " and " + std::to_string(threads) + " threads");
    }
    return true;
  }

  /// The running statistics as the step has left them.
  std::optional<std::string> collectRunning(Instance &instance, std::vector<OutputTensor> &outputs) {
    const Library &functions = instance.library;
    for (int i = 0; i < functions.numWeights(instance.model); ++i) {
      segc_model_info info;
      if (functions.weightInfo(instance.model, i, &info))
        return functions.lastError();
      OutputTensor tensor;
      tensor.name = "running " + std::string(info.name);
      if (llvm::none_of(result.rows, [&](const GradientRow &row) { return row.name == tensor.name; }))
        continue;
      tensor.shape.assign(info.shape, info.shape + info.rank);
      tensor.floats.resize(static_cast<size_t>(tensor.shape[0])); // a number for each channel
      if (functions.getWeight(instance.model, i, tensor.floats.data()))
        return functions.lastError();
      outputs.push_back(std::move(tensor));
    }
    return std::nullopt;
  }

  /// A tensor of the file with the extents that its weight has in the graph (a dense layer's differ).
  static Tensor shapedLike(Tensor tensor, const Tensor &like) {
    if (tensor.data.size() == like.data.size())
      tensor.shape = like.shape;
    return tensor;
  }

  void judgeLibrary(const std::vector<OutputTensor> &outputs) {
    for (auto [index, row] : llvm::enumerate(result.rows)) {
      auto found = llvm::find_if(
          outputs, [&, &row = row](const OutputTensor &output) { return output.name == row.name; });
      if (found == outputs.end())
        result.problems.push_back("the library has no " + row.name);
      else if (index == 0)
        row.library = std::fabs(found->floats[0] - expected[0].data[0]) /
                      std::fmax(std::fabs(expected[0].data[0]), 1e-30);
      else {
        const Tensor value = shapedLike(tensorOf(*found), expected[index]);
        row.library = errorOf(value, index);
        if (auto known = rounded.find(index); known != rounded.end())
          row.rounded = errorOf(value, known->second, index);
      }
    }
  }

  MLIRContext &context;
  Diagnostics &diagnostics;
  const CompileOptions &compile;
  const GradientCheckOptions &options;
  OwningOpRef<ModuleOp> graph, differentiated;
  std::optional<files::TensorFile> weights;
  std::vector<Tensor> inputs, expected;
  std::map<unsigned, Tensor> rounded; ///< by row: what the plan makes of rounded values
  std::vector<std::string> names;
  GradientCheckResult result;
};

} // namespace

bool GradientCheckResult::ok() const {
  return problems.empty() && llvm::all_of(rows, [](const GradientRow &row) { return row.ok; });
}

std::optional<GradientCheckResult> checkModelGradients(MLIRContext &context, Diagnostics &diagnostics,
                                                       const Model &model, const CompileOptions &compile,
                                                       const GradientCheckOptions &options,
                                                       const std::optional<files::TensorFile> &weights) {
  auto check = [&](int64_t work, bool differences, bool library) {
    return Checker(context, diagnostics, compile, options).run(model, weights, work, differences, library);
  };
  if (!schedules::isNarrow(compile.precision))
    return check(options.work, true, true);
  auto differences = check(options.work, true, false);
  auto library = differences ? check(options.narrowWork, false, true) : std::nullopt;
  if (!library)
    return std::nullopt;
  for (auto [row, small] : llvm::zip(library->rows, differences->rows)) {
    row.differences = small.differences;
    row.kinks = small.kinks;
    row.judged = small.judged;
    row.ok &= small.ok;
  }
  return library;
}

} // namespace segc
