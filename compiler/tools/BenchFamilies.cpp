/// \file One problem of each op says what a family serves and which values its parameters may have.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchFamilies.h"
#include "schedules/Family.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <vector>

namespace segc {
namespace {

using schedules::Family;
using schedules::Isa;
using schedules::KernelSpec;
using schedules::Parameter;

/// Every op of docs/kernels.md, those with several families more than once.
constexpr const char *kProblems[] = {
    "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : f32",
    "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : bf16",
    "conv c64 k64 r3x3 s1x1 d1x1 g64 in64 out64 +bias +relu : f32",
    "conv c64 k16 r1x1 s1x1 d1x1 g1 in64 out1 +bias +argmax : f32",
    "separable c64 k64 r3x3 s1x1 d1x1 in64 out64 mid=relu6 +bias : f32",
    "conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : f32",
    "conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16",
    "unpack_wgrad panel64 lanes=k : f32",
    "maxpool c64 r2x2 s2x2 d1x1 in64 out64 idx64 : f32",
    "avgpool c64 r2x2 s2x2 in64 out64 count=valid after0x0 : f32",
    "avgpool_transpose c64 r2x2 s2x2 in64 out64 count=valid after0x0 : f32",
    "adaptive_avgpool c64 in64 out64 : f32",
    "adaptive_avgpool_transpose c64 in64 out64 : f32",
    "unpool c64 r2x2 s2x2 d1x1 in64 idx64 out64 overlap=last : f32",
    "take c64 r2x2 s2x2 d1x1 in64 idx64 out64 overlap=last : f32",
    "upsample c64 in64 out64 mode=bilinear align0 : f32",
    "upsample c16 in16 out1 mode=bilinear align0 +argmax : f32",
    "upsample_transpose c64 in64 out64 mode=bilinear align0 : f32",
    "pointwise c64 in64 out64 +relu : f32",
    "repeat c64 in1 out64 : f32",
    "reduce_sum c64 in64 out64 axes=hw : f32",
    "softmax c16 in16 out16 : f32",
    "log_softmax c16 in16 out16 : f32",
    "softmax_grad c16 in16 y16 out16 : f32",
    "log_softmax_grad c16 in16 y16 out16 : f32",
    "argmax c16 in16 out1 : f32",
    "pad c64 in64 out64 mode=reflect : f32",
    "pad_transpose c64 in64 out64 mode=reflect before1x1 after1x1 : f32",
    "reshape c64 k64 in64 out64 : f32",
    "transpose c64 k64 in64 out64 perm=0231 : f32",
    "windows c3 k3 r64x64 s8x8 in3 out3 before0x0 after0x0 : f32",
    "windows_transpose c3 k3 r64x64 s8x8 in3 out3 before0x0 after0x0 : f32",
    "embed c16 k64 in16 out64 offset8 : f32",
    "import c3 out3 from=u8 : f32",
    "export c64 in64 to=f16 : f32",
    "export_upsample c16 in16 mode=bilinear align0 : f32",
    "norm_scale gamma1 eps=1e-05 : f32",
    "norm_shift beta1 bias1 : f32",
    "pack_vector : f32",
    "pack_conv panel64 g1 scale0 from=conv step1x1 : f32",
    "pack_depthwise scale0 from=conv step1x1 : f32",
    "pack_winograd panel64 tile4x4 scale0 from=conv step1x1 : f32",
    "channel_sums c64 in64 other0 out64 kind=stats : f32",
    "finish_sum c64 in64 : f32",
    "finish_stats c64 in64 : f32",
    "finish_norm_grad c64 in64 gamma1 eps=1e-05 : f32",
    "finish_group_stats c64 in64 groups8 gamma1 beta1 eps=1e-05 : f32",
    "finish_group_norm_grad c64 in64 groups8 gamma1 : f32",
    "running_update c64 in64 unbiased1 momentum=0.1 : f32",
    "copy_vector : f32",
    "loss_sums kind=cross_entropy c16 in16 t1 pw0 out1 : f32",
    "finish_loss kind=cross_entropy c1 in1 reduction=mean per_image0 scale=1 : f32",
    "loss_grad kind=cross_entropy c16 in16 t1 pw0 out16 per_image0 : f32",
    "total_loss n2 weights=1/0.4 : f32",
    "sgd momentum1 nesterov0 : f32",
    "adam decoupled1 : f32",
    "ema : f32",
    "accumulate : f32",
    "sum_squares : f32",
};

/// The processors' page is that of one instruction set (and its bf16, by dot products or tiles), wherever it
/// is made.
Isa isaOf(const Family &family, const KernelSpec &spec) {
  if (family.onGpu)
    return Isa::Cuda;
  if (spec.dtype != "bf16")
    return Isa::Avx512;
  return family.whyNot(spec, Isa::Avx512Bf16).empty() ? Isa::Avx512Bf16 : Isa::Amx;
}

/// GPUs' families are shown in f32, but those that are for 16 bits alone.
std::vector<KernelSpec> served(const Family &family) {
  std::vector<KernelSpec> specs;
  for (const char *problem : kProblems) {
    const KernelSpec spec = std::get<KernelSpec>(KernelSpec::parse(problem));
    const bool isShown = !family.onGpu || spec.dtype != "bf16" || family.name == "tensor_cores_90a";
    if (isShown && family.whyNot(spec, isaOf(family, spec)).empty())
      specs.push_back(spec);
  }
  return specs;
}

std::string opsOf(const std::vector<KernelSpec> &specs) {
  llvm::SmallVector<std::string> ops;
  for (const KernelSpec &spec : specs) {
    const std::string op = "`" + spec.op + "`";
    if (!llvm::is_contained(ops, op))
      ops.push_back(op);
  }
  return llvm::join(ops, ", ");
}

void writeTable(llvm::raw_ostream &out, bool onGpu) {
  out << "| family | serves | how |\n|---|---|---|\n";
  for (const Family &family : schedules::families())
    if (family.onGpu == onGpu) {
      const std::vector<KernelSpec> specs = served(family);
      out << "| `" << family.name << "` | "
          << (onGpu && specs.size() > 10 ? "what no other family serves" : opsOf(specs)) << " | "
          << family.doc << " |\n";
    }
}

void writeParameters(llvm::raw_ostream &out, const Family &family) {
  for (const KernelSpec &spec : served(family)) {
    const Isa isa = isaOf(family, spec);
    const std::vector<Parameter> parameters = family.parameters(spec, isa);
    if (parameters.empty())
      continue;
    const schedules::Schedule rule = family.choose(spec, isa);
    out << "\n### " << family.name << "\nFor `" << spec.print() << "` on " << schedules::name(isa)
        << ":\n\n| parameter | meaning | legal values | rule |\n|---|---|---|---|\n";
    for (const Parameter &parameter : parameters) {
      llvm::SmallVector<std::string> values;
      for (int value : parameter.legal)
        values.push_back(std::to_string(value));
      out << "| `" << parameter.name << "` | " << parameter.doc << " | " << llvm::join(values, ", ") << " | "
          << rule.params.at(parameter.name) << " |\n";
    }
    return; // one problem is enough
  }
}

} // namespace

std::string familiesPage() {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "# Schedule families\n"
         "Made by `segc-bench -families` from the values in `schedules/`; a test compares. How to add one is "
         "in "
         "[writing-a-schedule.md](writing-a-schedule.md), what the ops compute in [kernels.md](kernels.md), "
         "how "
         "fast a machine runs them `scripts/family_rates.sh` measures.\n\n"
         "For a problem the first family that applies is taken, at the point that its rule chooses; the "
         "order is "
         "that of the tables.\n\n## Processors\n";
  writeTable(out, false);
  out << "\n## GPUs\n";
  writeTable(out, true);
  out << "\n## Parameters\nLegal values depend on the problem; `segc-bench -kernel PROBLEM -schedule "
         "\"FAMILY\"` "
         "names those of another one.\n";
  for (const Family &family : schedules::families())
    writeParameters(out, family);
  return text;
}

} // namespace segc
