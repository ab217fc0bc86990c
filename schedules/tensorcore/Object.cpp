/// \file The object as a module of constants and one call, through LLVM's x86 back end.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Object.h"
#include "runtime/core/Images.h"
#include "runtime/core/TensorCores.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <optional>

using namespace llvm;

namespace segc::tensorcore {
namespace {

/// Libraries run on x86-64 whatever their kernels run on.
Expected<std::unique_ptr<TargetMachine>> hostMachine() {
  static const bool initialised = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialised;
  const Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("LLVM was built without the X86 target: " + error);
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, "x86-64", "", TargetOptions(), Reloc::PIC_));
}

/// Writes the module that holds the descriptor and the entry.
class Writer {
public:
  Writer(Module &module, const std::string &symbol)
      : module(module), context(module.getContext()), symbol(symbol), pointer(PointerType::get(context, 0)) {}

  void write(const rt::TensorCoreKernel &kernel) {
    auto *integer = Type::getInt32Ty(context);
    FunctionCallee launch = module.getOrInsertFunction("segc_tensorcore_launch", integer, pointer, pointer);
    auto *entry = Function::Create(FunctionType::get(integer, {pointer}, false), GlobalValue::ExternalLinkage,
                                   symbol + "_argv", module);
    entry->addFnAttr(Attribute::NoUnwind);
    IRBuilder<> b(BasicBlock::Create(context, "entry", entry));
    b.CreateRet(b.CreateCall(launch, {describe(kernel), entry->getArg(0)}));
  }

private:
  /// The description as a constant, and before it that of the same by warpgroups.
  GlobalVariable *describe(const rt::TensorCoreKernel &kernel) {
    using Grid = rt::TensorCoreGrid;
    static_assert(sizeof(Grid) % 4 == 0 && sizeof(rt::TensorCoreKernel) == 9 * 8 + sizeof(Grid),
                  "the constant below has the structure's layout");
    Constant *groups =
        kernel.groups ? static_cast<Constant *>(describe(*kernel.groups)) : ConstantPointerNull::get(pointer);
    auto *state = new GlobalVariable(module, pointer, false, GlobalValue::InternalLinkage,
                                     ConstantPointerNull::get(pointer), symbol + "_state");
    std::vector<uint32_t> grid(sizeof(Grid) / 4);
    std::memcpy(grid.data(), &kernel.grid, sizeof(Grid));
    Constant *fields[] = {groups,
                          state,
                          bytes(kernel.code, kernel.codeBytes),
                          text(kernel.entry),
                          text(kernel.sum),
                          text(kernel.problem),
                          text(kernel.schedule),
                          text(kernel.operands),
                          ConstantInt::get(Type::getInt64Ty(context), kernel.codeBytes),
                          ConstantDataArray::get(context, grid)};
    Constant *value = ConstantStruct::getAnon(fields);
    return new GlobalVariable(module, value->getType(), true, GlobalValue::InternalLinkage, value,
                              symbol + "_kernel");
  }
  Constant *text(const char *value) {
    if (!value)
      return ConstantPointerNull::get(pointer);
    return bytes(value, std::strlen(value) + 1);
  }
  Constant *bytes(const char *value, uint64_t size) {
    if (!value)
      return ConstantPointerNull::get(pointer);
    Constant *data = ConstantDataArray::getString(context, StringRef(value, size), /*AddNull=*/false);
    auto *variable = new GlobalVariable(module, data->getType(), true, GlobalValue::PrivateLinkage, data,
                                        symbol + "_text");
    variable->setAlignment(Align(rt::kImageAlignment));
    return variable;
  }

  Module &module;
  LLVMContext &context;
  const std::string &symbol;
  PointerType *pointer;
};

/// The code of a convolution with one tile, and how it is launched.
struct Variant {
  std::vector<Kernel> kernels;
  std::string code; ///< PTX and images; empty for the emulated warp
  rt::TensorCoreGrid grid;
  bool hasSum;

  static Expected<Variant> make(const schedules::KernelJob &job, const Problem &problem, const Tile &tile) {
    if (Error error = check(problem, tile))
      return error;
    Variant variant = {kernelsOf(problem, tile, job.symbol), "", gridOf(problem, tile), false};
    // In a library the parts of a weight gradient are added by the kernel that unpacks it.
    variant.hasSum = variant.kernels.size() > 1 && problem.kind == Kind::Convolution;
    if (job.isa != schedules::Isa::Cuda)
      return variant;
    Expected<Specialised> specialised = specialise(problem, tile, job.symbol);
    if (!specialised)
      return specialised.takeError();
    variant.code = std::move(specialised->ptx);
    variant.code.push_back('\0');
    schedules::Images images = job.images;
    if (tile.wgmma && !images.archs.empty())
      images.archs = "sm_90a";
    if (const std::string wrong = schedules::addImages(variant.code, images); !wrong.empty())
      return createStringError(wrong);
    return variant;
  }

  rt::TensorCoreKernel describe(const schedules::KernelJob &job, const std::string &operands) const {
    return {nullptr,
            nullptr,
            code.empty() ? nullptr : code.c_str(),
            kernels[0].symbol.c_str(),
            hasSum ? kernels[1].symbol.c_str() : nullptr,
            job.problem.c_str(),
            job.schedule.c_str(),
            operands.c_str(),
            code.size(),
            grid};
  }
};

Error emit(Module &module, TargetMachine &machine, CodeGenFileType type, SmallVectorImpl<char> &bytes) {
  raw_svector_ostream stream(bytes);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return createStringError("LLVM's X86 back end writes no objects");
  passes.run(module);
  return Error::success();
}

} // namespace

Expected<schedules::KernelArtifact> compileObject(const schedules::KernelJob &job, const Problem &problem,
                                                  const Tile &tile, const Tile *groups, bool readable) {
  Expected<Variant> main = Variant::make(job, problem, tile);
  if (!main)
    return main.takeError();
  std::string operands;
  for (const schedules::Epilogue &step : problem.epilogues)
    operands += step.signature();
  rt::TensorCoreKernel kernel = main->describe(job, operands), other;
  std::string device = main->code.c_str(), tiles = "tile " + tile.print() + "\n";
  std::optional<Variant> variant;
  if (groups) {
    Expected<Variant> made = Variant::make(job, problem, *groups);
    if (!made)
      return made.takeError();
    variant = std::move(*made);
    other = variant->describe(job, operands);
    kernel.groups = &other;
    device += variant->code.c_str();
    tiles += "tile " + groups->print() + " for sm_90a\n";
  }
  LLVMContext context;
  Module module(job.symbol, context);
  Writer(module, job.symbol).write(kernel);
  Expected<std::unique_ptr<TargetMachine>> machine = hostMachine();
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  module.setPICLevel(PICLevel::BigPIC);

  schedules::KernelArtifact artifact;
  if (readable) {
    raw_string_ostream(artifact.llvm) << module;
    artifact.device = device.empty() ? "// for the emulated warp\n" : device;
    artifact.stmt = tiles;
    SmallVector<char, 0> assembly;
    std::unique_ptr<Module> copy = CloneModule(module);
    if (Error error = emit(*copy, **machine, CodeGenFileType::AssemblyFile, assembly))
      return error;
    artifact.assembly.assign(assembly.begin(), assembly.end());
  }
  SmallVector<char, 0> object;
  if (Error error = emit(module, **machine, CodeGenFileType::ObjectFile, object))
    return error;
  artifact.object.assign(object.begin(), object.end());
  return artifact;
}

} // namespace segc::tensorcore
