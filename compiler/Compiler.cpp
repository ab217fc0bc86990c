/// \file Drives the pipeline and code generation; what is written appears whole or not at all.
// SPDX-License-Identifier: MIT
#include "compiler/Compiler.h"
#include "compiler/Pipeline.h"
#include "compiler/analysis/GroupSpec.h"
#include "compiler/analysis/LegalSizes.h"
#include "compiler/codegen/Embedded.h"
#include "compiler/codegen/Header.h"
#include "compiler/codegen/Jobs.h"
#include "compiler/codegen/Link.h"
#include "compiler/codegen/Output.h"
#include "compiler/codegen/TableWriter.h"
#include "compiler/report/Report.h"
#include "runtime/core/ModelTable.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>

using namespace mlir;

namespace segc {
namespace {

TableTarget tableTarget(schedules::Isa isa) {
  switch (isa) {
  case schedules::Isa::Amx:
    return {rt::kIsaAmx | rt::kIsaAvx512Bf16 | rt::kIsaAvx512 | rt::kIsaAvx2Fma};
  case schedules::Isa::Avx512Bf16:
    return {rt::kIsaAvx512Bf16 | rt::kIsaAvx512 | rt::kIsaAvx2Fma};
  case schedules::Isa::Avx512:
    return {rt::kIsaAvx512 | rt::kIsaAvx2Fma};
  case schedules::Isa::Avx2:
    return {rt::kIsaAvx2Fma};
  case schedules::Isa::Portable:
    return {rt::kIsaBaseline};
  case schedules::Isa::OpenCl:
    return {rt::kIsaBaseline, rt::DeviceKind::OpenCl};
  case schedules::Isa::Cuda:
    return {rt::kIsaBaseline, rt::DeviceKind::Cuda};
  }
  return {rt::kIsaBaseline};
}

/// Says how long a phase took, for -v.
class Phase {
public:
  Phase(bool verbose, const char *name)
      : verbose(verbose), name(name), start(std::chrono::steady_clock::now()) {}
  ~Phase() {
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (verbose)
      llvm::errs() << llvm::format("%-10s %6.2f s\n", name, seconds);
  }

private:
  bool verbose;
  const char *name;
  std::chrono::steady_clock::time_point start;
};

/// One program in all variants: plans, and the jobs their kernels need.
struct PlannedProgram {
  std::vector<OwningOpRef<ModuleOp>> plans;
  std::vector<schedules::KernelJob> jobs;
};

FailureOr<PlannedProgram> planProgram(ModuleOp graph, const CompileOptions &options) {
  PlannedProgram program;
  for (schedules::Isa isa : options.variants) {
    auto plan = planWithinLimit(graph, options, isa);
    if (!plan)
      return failure();
    for (plan::KernelOp kernel : plan->getOps<plan::KernelOp>())
      program.jobs.push_back({kernel.getSymName().str() + "_" + schedules::name(isa),
                              kernel.getProblem().str(), kernel.getSchedule().str(), isa,
                              isa == schedules::Isa::Cuda ? options.images : schedules::Images()});
    program.plans.push_back(std::move(plan));
  }
  return program;
}

/// Bytes of activations at the largest extents the model may get, else at its own; nothing where those are
/// unknown.
std::optional<uint64_t> arenaBytes(ModuleOp plan) {
  auto run = plan.lookupSymbol<plan::ProgramOp>("run");
  auto arena =
      run->getAttrOfType<IntegerAttr>(run->hasAttr("max_arena_bytes") ? "max_arena_bytes" : "arena_bytes");
  return arena ? std::optional<uint64_t>(arena.getInt()) : std::nullopt;
}

rt::DType dtypeOf(Type type) {
  if (type.isF16() || type.isBF16())
    return type.isF16() ? rt::DType::F16 : rt::DType::BF16;
  if (type.isInteger(8))
    return type.isUnsignedInteger() ? rt::DType::U8 : rt::DType::I8;
  return type.isInteger(32) ? rt::DType::I32 : rt::DType::F32;
}

template <typename OpT> void describeTensors(plan::ProgramOp run, std::vector<HeaderTensor> &list) {
  for (OpT op : run.getBody().front().getOps<OpT>()) {
    RankedTensorType type = op.getView().getType().getTensor();
    HeaderTensor tensor{op.getName().str(), dtypeOf(type.getElementType()), {}};
    for (int64_t extent : type.getShape())
      tensor.shape.push_back(ShapedType::isDynamic(extent) ? 0 : extent);
    if (list.size() <= op.getIndex())
      list.resize(op.getIndex() + 1);
    list[op.getIndex()] = tensor;
  }
}

uint64_t workspace(ModuleOp plan, uint64_t laneScratch) {
  auto arena = arenaBytes(plan);
  return arena ? *arena + (laneScratch + 63) / 64 * 64 : 0;
}

void describeInference(ModuleOp plan, HeaderInfo &info, uint64_t laneScratch) {
  auto run = plan.lookupSymbol<plan::ProgramOp>("run");
  describeTensors<plan::InputOp>(run, info.inputs);
  describeTensors<plan::OutputOp>(run, info.outputs);
  info.workspaceBytes = workspace(plan, laneScratch);
}

void describeTraining(ModuleOp plan, HeaderInfo &info, uint64_t laneScratch) {
  auto run = plan.lookupSymbol<plan::ProgramOp>("run");
  describeTensors<plan::InputOp>(run, info.trainInputs);
  describeTensors<plan::OutputOp>(run, info.trainOutputs);
  if (auto losses = plan->getAttrOfType<ArrayAttr>("hourglass.losses"))
    for (StringAttr loss : losses.getAsRange<StringAttr>())
      info.losses.push_back(loss.getValue().str());
  info.trainWorkspaceBytes = workspace(plan, laneScratch);
}

} // namespace

std::vector<schedules::Isa> parseVariants(StringRef text, std::string &error, StringRef precision) {
  std::vector<schedules::Isa> variants;
  SmallVector<StringRef> names;
  text.split(names, ',');
  for (StringRef name : names) {
    std::optional<schedules::Isa> isa = schedules::parseIsa(name.str());
    if (isa && schedules::isGpu(*isa))
      isa = std::nullopt;
    if (name == "native") {
      auto features = llvm::sys::getHostCPUFeatures();
      auto has = [&](std::initializer_list<StringRef> names) {
        return llvm::all_of(names, [&](StringRef feature) { return features.lookup(feature); });
      };
      bool avx512 = has({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"});
      bool dots = avx512 && has({"avx512bf16", "avx512ifma", "avx512vbmi", "avx512vbmi2", "avx512vnni",
                                 "avx512bitalg", "avx512vpopcntdq", "gfni"});
      bool tiles = dots && has({"amx-tile", "amx-bf16", "avx512fp16", "avxvnni"});
      isa = tiles && precision == "bf16"   ? schedules::Isa::Amx
            : dots && precision == "bf16"  ? schedules::Isa::Avx512Bf16
            : avx512                       ? schedules::Isa::Avx512
            : has({"avx2", "fma", "f16c"}) ? schedules::Isa::Avx2
                                           : schedules::Isa::Portable;
    }
    if (!isa) {
      error = ("-mcpu '" + name + "' is unknown; there are native, amx, avx512bf16, avx512, avx2, portable")
                  .str();
      return {};
    }
    if (!llvm::is_contained(variants, *isa))
      variants.push_back(*isa);
  }
  llvm::sort(variants); // best first
  return variants;
}

bool isTraining(ModuleOp graph) { return graph->hasAttr("hourglass.training"); }

OwningOpRef<ModuleOp> lower(ModuleOp graph, Stage stage, const CompileOptions &compile, schedules::Isa isa,
                            unsigned savings) {
  OwningOpRef<ModuleOp> module = graph.clone();
  if (compile.sm90a)
    (*module)->setAttr(kSm90a, UnitAttr::get(module->getContext()));
  PassManager passes(module->getContext());
  passes.enableVerifier(true);
  PipelineOptions options;
  options.isa = schedules::name(isa);
  options.stopAfter = stage;
  options.training = isTraining(graph);
  options.precision = compile.precision;
  (options.training ? options.recompute : options.thrifty) = savings;
  options.asked = compile.asked;
  if (!compile.winograd)
    options.without = schedules::winogradFamilies();
  if (!compile.tensorCores)
    llvm::append_values(options.without, "tensor_cores", "tensor_cores_90a");
  buildPipeline(passes, options);
  if (failed(passes.run(*module)))
    return {};
  return module;
}

OwningOpRef<ModuleOp> planWithinLimit(ModuleOp graph, const CompileOptions &options, schedules::Isa isa) {
  auto plan = lower(graph, Stage::Plan, options, isa);
  auto needs = [](ModuleOp candidate) { return *arenaBytes(candidate) + preparedBytes(candidate); };
  auto fits = [&](ModuleOp candidate) {
    return !options.memoryLimit || !arenaBytes(candidate) || needs(candidate) <= options.memoryLimit;
  };
  if (!plan || fits(*plan))
    return plan;
  // More savings take less memory, up to a point: look for the first number that fits in steps, then for the
  // least one before it.
  unsigned convolutions = 0, low = 0, high = 0;
  graph.walk([&](Operation *op) { convolutions += llvm::isa<hg::ConvOp, hg::DeconvOp>(op); });
  const unsigned most = isTraining(graph) ? convolutions : 2 * convolutions;
  constexpr unsigned kTries = 16;
  const unsigned step = std::max(1u, (most + kTries - 1) / kTries);
  uint64_t first = needs(*plan), least = first;
  OwningOpRef<ModuleOp> best;
  for (unsigned number = step; number < most + step && !best; number += step) {
    auto candidate = lower(graph, Stage::Plan, options, isa, number);
    if (!candidate)
      return {};
    least = std::min(least, needs(*candidate));
    (fits(*candidate) ? high : low) = number;
    if (fits(*candidate))
      best = std::move(candidate);
  }
  if (!best) {
    bool isBounded = plan->lookupSymbol<plan::ProgramOp>("run")->hasAttr("max_arena_bytes");
    graph.emitError("activations and packed weights need ")
        << first << " bytes at the model's " << (isBounded ? "largest" : "own")
        << " extents, more than -memory-limit " << options.memoryLimit
        << "; the least this network can do with is " << least;
    return {};
  }
  while (low + 1 < high) {
    unsigned middle = (low + high) / 2;
    auto candidate = lower(graph, Stage::Plan, options, isa, middle);
    if (!candidate)
      return {};
    (fits(*candidate) ? high : low) = middle;
    if (fits(*candidate))
      best = std::move(candidate);
  }
  return best;
}

std::string headerText(Graphs graphs, Graphs plans, const CompileOptions &options, uint64_t laneScratch) {
  HeaderInfo info;
  info.name = graphs.first()->getAttrOfType<StringAttr>("hourglass.name").getValue().str();
  info.infers = plans.infer != nullptr;
  info.trains = plans.train != nullptr;
  if (info.infers)
    describeInference(plans.infer, info, laneScratch);
  if (info.trains)
    describeTraining(plans.train, info, laneScratch);
  hg::SizeTable table = plan::sizeTable(plans.first().lookupSymbol<plan::ProgramOp>("run"));
  SmallVector<SmallVector<int64_t, 4>> defaults;
  for (const HeaderTensor &input : info.infers ? info.inputs : info.trainInputs) {
    defaults.emplace_back(input.shape.begin(), input.shape.end());
    if (defaults.back().size() == 3) // a target without channels
      defaults.back().insert(defaults.back().begin() + 1, 1);
  }
  info.legalSizes = {"H: " + legalSizes(table, defaults, 2).print(),
                     "W: " + legalSizes(table, defaults, 3).print()};
  for (schedules::Isa isa : options.variants)
    info.variants.push_back(schedules::name(isa));
  info.parameters = static_cast<uint64_t>(summarise(graphs.first(), {}).parameters);
  return modelHeader(info, headerTemplate());
}

namespace {

/// Tables and kernel names of a program's variants into the data that is linked.
LogicalResult writeProgram(PlannedProgram &program, const CompileOptions &options, StringRef name,
                           uint64_t scratch, bool training, std::vector<VariantData> &variants) {
  variants.resize(options.variants.size());
  for (auto [plan, isa, data] : llvm::zip(program.plans, options.variants, variants)) {
    auto blob = writeTables(*plan, name, tableTarget(isa), scratch);
    if (failed(blob))
      return failure();
    (training ? data.trainTable : data.table) = std::move(blob->bytes);
    for (const std::string &kernel : blob->kernels)
      (training ? data.trainKernels : data.kernels).push_back(kernel + "_" + schedules::name(isa));
  }
  return success();
}

} // namespace

FailureOr<std::vector<std::string>> compileLibrary(Graphs graphs, const CompileOptions &options,
                                                   const std::string &directory, Plans *made) {
  ModuleOp graph = graphs.first();
  std::string name = graph->getAttrOfType<StringAttr>("hourglass.name").getValue().str();
  PlannedProgram programs[2];
  std::vector<schedules::KernelJob> jobs;
  {
    Phase phase(options.verbose, "passes");
    llvm::StringSet<> symbols;
    for (auto [source, program] : llvm::zip(std::array{graphs.infer, graphs.train}, programs)) {
      if (!source)
        continue;
      auto planned = planProgram(source, options);
      if (failed(planned))
        return failure();
      program = std::move(*planned);
      for (const schedules::KernelJob &job : program.jobs)
        if (symbols.insert(job.symbol).second)
          jobs.push_back(job);
    }
  }
  LinkInput link;
  link.name = name;
  uint64_t scratch = 0;
  {
    Phase phase(options.verbose, "kernels");
    JobOptions jobOptions;
    jobOptions.executable = options.executable;
    jobOptions.workers = options.workers;
    jobOptions.cacheDirectory = options.cacheDirectory;
    auto compiled = compileKernels(jobs, jobOptions);
    if (auto *why = std::get_if<std::string>(&compiled))
      return graph.emitError(*why);
    auto &kernels = std::get<CompiledKernels>(compiled);
    for (auto [job, artifact] : llvm::zip(jobs, kernels.artifacts)) {
      scratch = std::max(scratch, artifact.scratchBytes);
      link.kernels.push_back({job.symbol, std::move(artifact.object)});
    }
    if (options.verbose)
      llvm::errs() << kernels.compiled << " kernels compiled, " << kernels.cached << " from the cache\n";
  }
  Phase phase(options.verbose, "link");
  for (auto [source, program] : llvm::zip(std::array{graphs.infer, graphs.train}, programs))
    if (source &&
        failed(writeProgram(program, options, name, scratch, source == graphs.train, link.variants)))
      return failure();
  auto libraries = linkModel(link, coreObject(/*training=*/graphs.train != nullptr,
                                              /*gpu=*/schedules::isGpu(options.variants[0])));
  if (auto *why = std::get_if<std::string>(&libraries))
    return graph.emitError(*why);
  auto &linked = std::get<Libraries>(libraries);
  std::string prefix = cPrefix(name);
  Graphs plans;
  if (graphs.infer)
    plans.infer = *programs[0].plans[0];
  if (graphs.train)
    plans.train = *programs[1].plans[0];
  ModuleOp planned = plans.first();
  std::string json = report(planned, name, summarise(graph, kernelsByLayer(planned)),
                            plans.infer && plans.train ? plans.train : ModuleOp());
  std::string header = headerText(graphs, plans, options, scratch);
  auto bytes = [](const std::string &text) {
    return llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  };
  std::vector<OutputFile> files = {{"lib" + prefix + ".a", linked.archive},
                                   {"lib" + prefix + ".so", linked.shared, true},
                                   {prefix + ".h", bytes(header)},
                                   {prefix + ".report.json", bytes(json)}};
  std::string problem = writeOutputs(directory, files);
  if (!problem.empty()) // of the directory, not of the model
    return emitError(UnknownLoc::get(graph.getContext()), problem);
  std::vector<std::string> paths;
  for (const OutputFile &file : files)
    paths.push_back(directory + "/" + file.name);
  for (auto [source, program, plan] :
       llvm::zip(std::array{graphs.infer, graphs.train}, programs,
                 std::array{made ? &made->infer : nullptr, made ? &made->train : nullptr}))
    if (source && plan)
      *plan = std::move(program.plans[0]);
  return paths;
}

} // namespace segc
