/// \file Constants into the template, LLVM's O3, and its NVPTX back end.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Specialise.h"
#include "schedules/tensorcore/Generate.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/IPO/Internalize.h"
#include <map>

using namespace llvm;

extern "C" const char segc_tensorcore_template[], segc_tensorcore_template_end[], segc_tensorcore_warp[],
    segc_tensorcore_warp_end[];

namespace segc::tensorcore {
namespace {

constexpr int linearThreads = rt::kSumThreads; // of kernels that are no GEMM, as the template has it

Expected<std::unique_ptr<Module>> parse(const char *begin, const char *end, const char *name,
                                        LLVMContext &context) {
  SMDiagnostic diagnostic;
  const auto buffer = MemoryBuffer::getMemBufferCopy(StringRef(begin, size_t(end - begin)), name);
  std::unique_ptr<Module> module = parseIR(buffer->getMemBufferRef(), diagnostic, context);
  if (!module)
    return createStringError(std::string("the embedded ") + name + ": " + diagnostic.getMessage().str());
  return module;
}

Expected<std::unique_ptr<TargetMachine>> nvptx(const Tile &tile) {
  static const bool initialised = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialised;
  const Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("LLVM was built without the NVPTX target: " + error);
  // PTX 7.0 is the first with sm_80, 8.0 with sm_90a; any later driver reads it.
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, tile.wgmma ? "sm_90a" : "sm_80", tile.wgmma ? "+ptx80" : "+ptx70",
                                  TargetOptions(), std::nullopt, std::nullopt, CodeGenOptLevel::Aggressive));
}

std::map<std::string, int> constants(const Problem &p, const Tile &t) {
  const Extents &e = p.extents;
  return {{"element", int(p.element)},
          {"result_f32", p.resultF32},
          {"c0", p.c0},
          {"c1", p.c1},
          {"k", p.k},
          {"rh", p.rh},
          {"rw", p.rw},
          {"sy", p.sy},
          {"sx", p.sx},
          {"dy", p.dy},
          {"dx", p.dx},
          {"images", e.images},
          {"height", e.height},
          {"width", e.width},
          {"in_height", e.inHeight},
          {"in_width", e.inWidth},
          {"tile_m", t.m},
          {"tile_n", t.n},
          {"tile_k", t.k},
          {"warp_m", t.warpM},
          {"warp_n", t.warpN},
          {"wgmma", t.wgmma},
          {"stages", t.stages},
          {"parts", t.parts},
          {"tile_w", t.width},
          {"pool", p.pool},
          {"index", p.poolIndex},
          {"keep", p.keep},
          {"phases", p.phases},
          {"scaled", p.scaled}};
}

Error setConstants(Module &module, const std::map<std::string, int> &values) {
  std::map<std::string, int> left = values;
  for (GlobalVariable &variable : module.globals()) {
    const std::string name = variable.getName().str();
    if (!variable.isDeclaration() || name.rfind("segc_", 0) || name == "segc_shared")
      continue;
    const auto found = left.find(name.substr(5));
    if (found == left.end())
      return createStringError("the template's constant '" + name + "' has no value");
    variable.setInitializer(ConstantInt::get(variable.getValueType(), found->second));
    variable.setLinkage(GlobalValue::InternalLinkage);
    variable.setConstant(true);
  }
  return Error::success();
}

void optimise(Module &module, TargetMachine &machine, const std::vector<Kernel> &kernels) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);

  ModulePassManager passes;
  passes.addPass(InternalizePass([&](const GlobalValue &value) {
    for (const Kernel &kernel : kernels)
      if (value.getName() == kernel.symbol)
        return true;
    return value.getName() == "segc_shared";
  }));
  passes.addPass(GlobalDCEPass());
  passes.addPass(builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3));
  passes.run(module, modules);
}

/// Everything of the template is to be inlined into the entries: their loops unroll only together with it.
void inlineAlways(Module &module) {
  for (Function &function : module)
    if (!function.isDeclaration()) {
      function.removeFnAttr(Attribute::NoInline);
      function.addFnAttr(Attribute::AlwaysInline);
    }
}

/// The template's function of a kernel.
const char *bodyOf(const Problem &problem, const Kernel &kernel) {
  switch (problem.kind) {
  case Kind::Convolution:
    return kernel.adds ? "segc_conv_sum" : "segc_conv";
  case Kind::WeightGradient:
    return kernel.adds ? "segc_weight_gradient_sum" : "segc_weight_gradient";
  case Kind::Pack:
    return "segc_pack";
  }
  llvm_unreachable("all kinds are listed");
}

Expected<std::string> emit(Module &module, TargetMachine &machine) {
  SmallVector<char, 0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile))
    return createStringError("LLVM's NVPTX back end writes no text");
  passes.run(module);
  return std::string(text.begin(), text.end());
}

} // namespace

std::vector<Kernel> kernelsOf(const Problem &problem, const Tile &tile, const std::string &symbol) {
  if (problem.kind == Kind::Pack)
    return {{symbol, false, linearThreads, 0, 1, 1}};
  std::vector<Kernel> kernels = {
      {symbol, false, tile.threads(), sharedBytes(problem, tile), problem.phases, tile.parts}};
  if (tile.parts > 1 || problem.kind == Kind::WeightGradient)
    kernels.push_back({symbol + "_sum", true, linearThreads, 0, problem.phases, 1});
  return kernels;
}

rt::TensorCoreGrid gridOf(const Problem &problem, const Tile &tile) {
  const bool gradient = problem.kind == Kind::WeightGradient;
  return {problem.k,
          problem.phases,
          tile.parts,
          tile.m,
          tile.n,
          tile.width,
          (problem.pool ? rt::kPools : 0) | (problem.poolIndex ? rt::kPoolsIndex : 0) |
              (problem.pool && problem.keep ? rt::kKeepsPixels : 0),
          tile.threads(),
          sharedBytes(problem, tile),
          gradient ? problem.taps() * problem.channels() : 0};
}

int64_t blocks(const Kernel &kernel, const Problem &problem, const Tile &tile, const Extents &e) {
  const int64_t columns = int64_t(problem.taps()) * problem.channels();
  if (problem.kind == Kind::Pack || (problem.kind == Kind::WeightGradient && kernel.adds))
    return rt::ceilDiv(problem.k * (columns / 8), linearThreads);
  return (kernel.adds ? rt::sumBlocks : rt::gemmBlocks)(gridOf(problem, tile), e.images, e.height, e.width);
}

int64_t partialBytes(const Problem &problem, const Tile &tile, const Extents &extents) {
  if (problem.kind == Kind::WeightGradient)
    return int64_t(4) * tile.parts * problem.k * problem.taps() * problem.channels();
  return rt::partialBytes(gridOf(problem, tile), extents.images, extents.height, extents.width);
}

Expected<std::unique_ptr<Module>> specialiseModule(const Problem &problem, const Tile &tile,
                                                   const std::string &symbol, Warp warp,
                                                   LLVMContext &context) {
  if (Error error = check(problem, tile))
    return error;
  Expected<std::unique_ptr<TargetMachine>> machine = nvptx(tile);
  if (!machine)
    return machine.takeError();
  Expected<std::unique_ptr<Module>> parsed =
      parse(segc_tensorcore_template, segc_tensorcore_template_end, "template", context);
  if (!parsed)
    return parsed.takeError();
  Module &module = **parsed;
  module.setModuleIdentifier(symbol);
  if (Error error = setConstants(module, constants(problem, tile)))
    return error;
  if (warp == Warp::Nvvm) {
    Expected<std::unique_ptr<Module>> primitives =
        parse(segc_tensorcore_warp, segc_tensorcore_warp_end, "warp.ll", context);
    if (!primitives)
      return primitives.takeError();
    (*primitives)->setDataLayout(module.getDataLayout());
    if (Linker::linkModules(module, std::move(*primitives)))
      return createStringError("the primitives do not link with the template");
    if (tile.wgmma)
      generateWgmma(module, problem, tile);
  }
  if (Error error = generateEpilogue(module, problem))
    return error;
  inlineAlways(module);
  const std::vector<Kernel> kernels = kernelsOf(problem, tile, symbol);
  for (const Kernel &kernel : kernels) {
    const char *body = bodyOf(problem, kernel);
    if (Expected<Function *> entry = generateEntry(module, kernel, body, warp); !entry)
      return entry.takeError();
  }
  optimise(module, **machine, kernels);
  std::string problems;
  raw_string_ostream stream(problems);
  if (verifyModule(module, &stream))
    return createStringError(problem.print() + ": the specialised module is broken: " + problems);
  return std::move(*parsed);
}

Expected<Specialised> specialise(const Problem &problem, const Tile &tile, const std::string &symbol) {
  LLVMContext context;
  Expected<std::unique_ptr<Module>> module = specialiseModule(problem, tile, symbol, Warp::Nvvm, context);
  if (!module)
    return module.takeError();
  Expected<std::unique_ptr<TargetMachine>> machine = nvptx(tile);
  if (!machine)
    return machine.takeError();
  Expected<std::string> ptx = emit(**module, **machine);
  if (!ptx)
    return ptx.takeError();
  // An array that is not in registers lies in local memory, hundreds of cycles away.
  if (ptx->find(".local") != std::string::npos)
    return createStringError(problem.print() + ": tile " + tile.print() + " keeps an array in local memory");
  return Specialised{kernelsOf(problem, tile, symbol), std::move(*ptx)};
}

} // namespace segc::tensorcore
