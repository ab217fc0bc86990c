/// \file Drives the pipeline and code generation; what is written appears whole or not at all.
// SPDX-License-Identifier: MIT
#include "compiler/Compiler.h"
#include "compiler/Pipeline.h"
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
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>

using namespace mlir;

namespace segc {
namespace {

uint32_t isaBits(schedules::Isa isa) {
  switch (isa) {
  case schedules::Isa::Avx512:
    return rt::kIsaAvx512 | rt::kIsaAvx2Fma;
  case schedules::Isa::Avx2:
    return rt::kIsaAvx2Fma;
  case schedules::Isa::Portable:
    return rt::kIsaBaseline;
  }
  return rt::kIsaBaseline;
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

/// One variant: its plan, and the jobs its kernels need.
struct PlannedVariant {
  OwningOpRef<ModuleOp> module;
  std::vector<schedules::KernelJob> jobs;
};

FailureOr<PlannedVariant> planVariant(ModuleOp graph, const CompileOptions &options, schedules::Isa isa) {
  PlannedVariant variant{lower(graph, Stage::Plan, isa, options.winograd), {}};
  if (!variant.module)
    return failure();
  auto run = variant.module->lookupSymbol<plan::ProgramOp>("run");
  auto arena = run->getAttrOfType<IntegerAttr>("arena_bytes");
  if (arena && options.memoryLimit && static_cast<uint64_t>(arena.getInt()) > options.memoryLimit)
    return graph.emitError("the activations need ")
           << arena.getInt() << " bytes at the model's own extents, more than -memory-limit "
           << options.memoryLimit << "; that is the least this plan can do with";
  for (plan::KernelOp kernel : variant.module->getOps<plan::KernelOp>())
    variant.jobs.push_back({kernel.getSymName().str() + "_" + schedules::name(isa), kernel.getProblem().str(),
                            kernel.getSchedule().str(), isa});
  return variant;
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

} // namespace

std::vector<schedules::Isa> parseVariants(StringRef text, std::string &error) {
  std::vector<schedules::Isa> variants;
  SmallVector<StringRef> names;
  text.split(names, ',');
  for (StringRef name : names) {
    std::optional<schedules::Isa> isa = schedules::parseIsa(name.str());
    if (name == "native") {
      auto features = llvm::sys::getHostCPUFeatures();
      bool avx512 = features.lookup("avx512f") && features.lookup("avx512bw") &&
                    features.lookup("avx512dq") && features.lookup("avx512vl") && features.lookup("avx512cd");
      bool avx2 = features.lookup("avx2") && features.lookup("fma") && features.lookup("f16c");
      isa = avx512 ? schedules::Isa::Avx512 : avx2 ? schedules::Isa::Avx2 : schedules::Isa::Portable;
    }
    if (!isa) {
      error = ("-mcpu '" + name + "' is unknown; there are native, avx512, avx2, portable").str();
      return {};
    }
    if (!llvm::is_contained(variants, *isa))
      variants.push_back(*isa);
  }
  llvm::sort(variants); // best first
  return variants;
}

OwningOpRef<ModuleOp> lower(ModuleOp graph, Stage stage, schedules::Isa isa, bool winograd) {
  OwningOpRef<ModuleOp> module = graph.clone();
  PassManager passes(module->getContext());
  passes.enableVerifier(true);
  PipelineOptions options;
  options.isa = schedules::name(isa);
  options.stopAfter = stage;
  if (!winograd)
    options.without = {"winograd"};
  buildPipeline(passes, options);
  if (failed(passes.run(*module)))
    return {};
  return module;
}

std::string headerText(ModuleOp graph, ModuleOp planned, const CompileOptions &options,
                       uint64_t laneScratch) {
  HeaderInfo info;
  info.name = graph->getAttrOfType<StringAttr>("hourglass.name").getValue().str();
  auto run = planned.lookupSymbol<plan::ProgramOp>("run");
  describeTensors<plan::InputOp>(run, info.inputs);
  describeTensors<plan::OutputOp>(run, info.outputs);
  hg::SizeTable table = plan::sizeTable(run);
  SmallVector<SmallVector<int64_t, 4>> defaults;
  for (const HeaderTensor &input : info.inputs)
    defaults.emplace_back(input.shape.begin(), input.shape.end());
  info.legalSizes = {"H: " + legalSizes(table, defaults, 2).print(),
                     "W: " + legalSizes(table, defaults, 3).print()};
  for (schedules::Isa isa : options.variants)
    info.variants.push_back(schedules::name(isa));
  info.parameters = static_cast<uint64_t>(summarise(graph, {}).parameters);
  if (auto arena = run->getAttrOfType<IntegerAttr>("arena_bytes"))
    info.workspaceBytes = static_cast<uint64_t>(arena.getInt()) + (laneScratch + 63) / 64 * 64;
  return modelHeader(info, headerTemplate());
}

FailureOr<std::vector<std::string>> compileLibrary(ModuleOp graph, const CompileOptions &options,
                                                   const std::string &directory) {
  std::string name = graph->getAttrOfType<StringAttr>("hourglass.name").getValue().str();
  std::vector<PlannedVariant> variants;
  std::vector<schedules::KernelJob> jobs;
  {
    Phase phase(options.verbose, "passes");
    for (schedules::Isa isa : options.variants) {
      auto variant = planVariant(graph, options, isa);
      if (failed(variant))
        return failure();
      jobs.insert(jobs.end(), variant->jobs.begin(), variant->jobs.end());
      variants.push_back(std::move(*variant));
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
  for (auto [variant, isa] : llvm::zip(variants, options.variants)) {
    auto blob = writeTables(*variant.module, name, isaBits(isa), scratch);
    if (failed(blob))
      return failure();
    VariantData data;
    data.table = std::move(blob->bytes);
    for (const std::string &kernel : blob->kernels)
      data.kernels.push_back(kernel + "_" + schedules::name(isa));
    link.variants.push_back(std::move(data));
  }
  auto libraries = linkModel(link, coreObject());
  if (auto *why = std::get_if<std::string>(&libraries))
    return graph.emitError(*why);
  auto &linked = std::get<Libraries>(libraries);
  std::string prefix = cPrefix(name);
  ModuleOp planned = *variants[0].module;
  std::string json = report(planned, name, summarise(graph, kernelsByLayer(planned)));
  std::string header = headerText(graph, planned, options, scratch);
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
  return paths;
}

} // namespace segc
