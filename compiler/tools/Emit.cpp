/// \file The stages that `segc -emit` shows, and the summary.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Emit.h"
#include "compiler/Pipeline.h"
#include "compiler/analysis/LegalSizes.h"
#include "compiler/codegen/Jobs.h"
#include "compiler/report/Dot.h"
#include "compiler/report/Report.h"
#include "compiler/tools/InitialWeights.h"
#include "runtime/files/Safetensors.h"
#include "runtime/files/WriteWhole.h"
#include "schedules/Compile.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace segc {

/// What 16 bits do not give: processors without products of them store only.
static void noteWidening(const CompileOptions &compile) {
  std::string names;
  for (schedules::Isa isa : compile.variants)
    if (!schedules::isGpu(isa) && (compile.precision == "f16" || isa > schedules::Isa::Avx512Bf16))
      names += (names.empty() ? "" : ", ") + schedules::name(isa);
  if (!names.empty() && (compile.precision == "bf16" || compile.precision == "f16"))
    llvm::errs() << "note: " << names << ": no products of " << compile.precision
                 << ", so values are stored in it and widened to f32: less memory, not less work\n";
}

int buildLibrary(const ToolOptions &options, LoadedModel &input) {
  std::string directory = options.value(options::OPT_o_eq, ".");
  Plans plans;
  auto files = compileLibrary(input.graphs(), input.compile, directory, &plans);
  if (failed(files))
    return 1;
  for (const std::string &file : *files)
    llvm::errs() << "wrote " << file << "\n";
  noteWidening(input.compile);
  if (!options.has(options::OPT_opt_report))
    return 0;
  if (plans.infer)
    llvm::outs() << optimisationReport(*plans.infer);
  if (plans.infer && plans.train)
    llvm::outs() << "training step\n";
  if (plans.train)
    llvm::outs() << optimisationReport(*plans.train);
  return 0;
}

int showSummary(LoadedModel &input) {
  auto planned = planWithinLimit(*input.graph, input.compile, input.compile.variants[0]);
  if (!planned)
    return 1;
  print(summarise(*input.graph, kernelsByLayer(*planned)), llvm::outs());
  auto run = planned->lookupSymbol<plan::ProgramOp>("run");
  if (auto arena = run->getAttrOfType<IntegerAttr>("arena_bytes"))
    llvm::outs() << "peak memory of activations: " << arena.getInt()
                 << " bytes (the least possible: " << livenessBound(*planned) << ")\n";
  hg::SizeTable table = plan::sizeTable(run);
  SmallVector<SmallVector<int64_t, 4>> defaults;
  for (const ModelInput &model : input.model->inputs)
    defaults.emplace_back(model.shape.begin(), model.shape.end());
  llvm::outs() << "legal heights: " << legalSizes(table, defaults, 2).print() << "\n"
               << "legal widths: " << legalSizes(table, defaults, 3).print() << "\n";
  return 0;
}

namespace {

/// Writes text or bytes to DIR/<name><extension>, or text to stdout where no directory is given.
int deliver(const ToolOptions &options, const LoadedModel &input, StringRef extension, StringRef content) {
  if (!options.has(options::OPT_o_eq)) {
    llvm::outs() << content;
    return 0;
  }
  SmallString<256> path(options.value(options::OPT_o_eq));
  if (std::error_code code = llvm::sys::fs::create_directories(path))
    return fail("cannot create directory '" + Twine(path) + "': " + code.message());
  llvm::sys::path::append(path, input.model->name + extension.str());
  auto problem = files::writeWhole(path.str().str(), content.str());
  if (problem)
    return fail(*problem);
  llvm::errs() << "wrote " << path << "\n";
  return 0;
}

std::string text(ModuleOp module) {
  std::string result;
  llvm::raw_string_ostream out(result);
  module.print(out);
  out << "\n";
  return result;
}

int emitWeights(const ToolOptions &options, LoadedModel &input) {
  // All layers of the file count here, also those that no output needs.
  auto whole = importModel(*input.context, *input.diagnostics, *input.model, {{}, true});
  auto seed = options.number(options::OPT_seed_eq, 0, 0, INT64_MAX);
  if (!whole || !seed)
    return 1;
  auto file = initialWeights(*whole, static_cast<uint64_t>(*seed));
  if (!file)
    return 1;
  file->metadata["model"] = input.model->name;
  auto bytes = files::serialise(*file);
  if (auto *why = std::get_if<std::string>(&bytes))
    return fail(*why);
  auto &data = std::get<std::vector<uint8_t>>(bytes);
  return deliver(options, input, ".safetensors",
                 StringRef(reinterpret_cast<const char *>(data.data()), data.size()));
}

/// stmt, llvm, asm of all kernels one after the other; obj as one file a kernel.
int emitKernels(const ToolOptions &options, LoadedModel &input, StringRef kind) {
  auto planned = planWithinLimit(*input.graph, input.compile, input.compile.variants[0]);
  if (!planned)
    return 1;
  std::string all;
  for (plan::KernelOp kernel : planned->getOps<plan::KernelOp>()) {
    schedules::KernelJob job{kernel.getSymName().str(), kernel.getProblem().str(), kernel.getSchedule().str(),
                             input.compile.variants[0], input.compile.images};
    auto result = schedules::compileKernel(job, kind != "obj");
    if (auto *why = std::get_if<std::string>(&result)) {
      kernel.emitError(*why);
      return 1;
    }
    auto &artifact = std::get<schedules::KernelArtifact>(result);
    if (kind == "obj") {
      std::string name = "." + job.symbol + ".o";
      if (!options.has(options::OPT_o_eq))
        return fail("-emit obj needs -o DIR: there is one file a kernel");
      if (deliver(options, input, name,
                  StringRef(reinterpret_cast<const char *>(artifact.object.data()), artifact.object.size())))
        return 1;
      continue;
    }
    if (kind == "ptx" && artifact.device.empty())
      return fail("-emit ptx goes with -target cuda (with -target opencl it shows OpenCL C)");
    const std::string comment = kind == "asm" ? "# " : kind == "llvm" ? "; " : "// ";
    all += comment + job.symbol + "\n" + comment + job.problem + "\n" + comment + job.schedule + "\n";
    all += kind == "stmt"   ? artifact.stmt
           : kind == "llvm" ? artifact.llvm
           : kind == "ptx"  ? artifact.device
                            : artifact.assembly;
  }
  return kind == "obj" ? 0
                       : deliver(options, input,
                                 kind == "stmt"   ? ".stmt"
                                 : kind == "llvm" ? ".ll"
                                 : kind == "ptx"  ? ".ptx"
                                                  : ".s",
                                 all);
}

/// What -schedule reads: each kernel as a comment, and a line for each layer that it computes.
std::string scheduleText(ModuleOp planned) {
  // By kernel. What became of no layer, such as packing, has no reason to end.
  llvm::StringMap<llvm::SetVector<StringRef>> layers;
  planned.walk([&](plan::LaunchOp launch) {
    if (launch->hasAttr("end") && launch.getKernelAttr())
      layers[launch.getKernelAttr().getValue()].insert(launch.getLabel());
  });
  std::string lines;
  for (plan::KernelOp kernel : planned.getOps<plan::KernelOp>()) {
    const std::string schedule = kernel.getSchedule().str();
    lines += "# " + kernel.getProblem().str() + " => " + schedule + "\n";
    for (StringRef layer : layers[kernel.getSymName()])
      lines += layer.str() + ": " + schedule + "\n";
  }
  return lines;
}

int emitHeader(const ToolOptions &options, LoadedModel &input) {
  Graphs graphs = input.graphs(), plans;
  OwningOpRef<ModuleOp> infer, train;
  if (graphs.infer && !(infer = planWithinLimit(graphs.infer, input.compile, input.compile.variants[0])))
    return 1;
  if (graphs.train && !(train = planWithinLimit(graphs.train, input.compile, input.compile.variants[0])))
    return 1;
  plans = {infer ? *infer : ModuleOp(), train ? *train : ModuleOp()};
  return deliver(options, input, ".h", headerText(graphs, plans, input.compile, 0));
}

} // namespace

int emitStage(const ToolOptions &options, LoadedModel &input) {
  std::string kind = options.value(options::OPT_emit_eq);
  auto stage = [&](Stage until, StringRef extension) {
    auto isa = input.compile.variants[0];
    auto module = until == Stage::Plan ? planWithinLimit(*input.graph, input.compile, isa)
                                       : lower(*input.graph, until, input.compile, isa);
    return module ? deliver(options, input, extension, text(*module)) : 1;
  };
  if (kind == "layers") {
    std::string list;
    llvm::raw_string_ostream out(list);
    printModel(out, *input.model);
    return deliver(options, input, ".layers.txt", list);
  }
  if (kind == "graph")
    return stage(Stage::Graph, ".graph.mlir");
  if (kind == "gradient") {
    if (!isTraining(*input.graph))
      return fail("-emit gradient shows what -mode train adds: it needs that flag");
    return stage(Stage::Gradient, ".gradient.mlir");
  }
  if (kind == "fused")
    return stage(Stage::Fused, ".fused.mlir");
  if (kind == "scheduled")
    return stage(Stage::Scheduled, ".scheduled.mlir");
  if (kind == "plan")
    return stage(Stage::Plan, ".plan.mlir");
  if (kind == "dot")
    return deliver(options, input, ".dot", dot(*input.graph));
  if (kind == "weights")
    return emitWeights(options, input);
  if (kind == "stmt" || kind == "llvm" || kind == "asm" || kind == "ptx" || kind == "obj")
    return emitKernels(options, input, kind);
  if (kind == "header")
    return emitHeader(options, input);
  if (kind == "report") {
    auto module = planWithinLimit(*input.graph, input.compile, input.compile.variants[0]);
    OwningOpRef<ModuleOp> training;
    if (!module || (input.training &&
                    !(training = planWithinLimit(*input.training, input.compile, input.compile.variants[0]))))
      return 1;
    return deliver(options, input, ".report.json",
                   report(*module, input.model->name, summarise(*input.graph, kernelsByLayer(*module)),
                          training ? *training : ModuleOp()));
  }
  if (kind == "schedule") {
    auto module = planWithinLimit(*input.graph, input.compile, input.compile.variants[0]);
    if (!module)
      return 1;
    return deliver(options, input, ".schedule", scheduleText(*module));
  }
  const std::vector<llvm::StringRef> kinds = {"layers",   "graph",  "gradient", "fused", "scheduled", "plan",
                                              "schedule", "stmt",   "llvm",     "asm",   "ptx",       "obj",
                                              "header",   "report", "weights",  "dot"};
  return fail("-emit '" + kind + "' is unknown" + suggestion(kind, kinds));
}

} // namespace segc
